import { X509Certificate } from 'node:crypto';

/** With the labels that OpenSSL takes, such as TRUSTED CERTIFICATE. */
const ONE_CERTIFICATE = /-----BEGIN [A-Z0-9 ]*CERTIFICATE-----.*?-----END [A-Z0-9 ]*CERTIFICATE-----/gs;

const isExpired = ({ validTo }: X509Certificate): boolean => Date.parse(validTo) < Date.now();

/** @throws Error no PEM, or expired */
export function checkedCertificate(pem: Buffer | undefined): X509Certificate {
  const certificate = new X509Certificate(pem ?? '');
  if (isExpired(certificate)) throw new Error(`the certificate expired on ${certificate.validTo}`);
  return certificate;
}

/**
 * Checks authorities that are to be trusted. One that can be used is enough: beside a new one, the old one may stay
 * until it has expired and longer. A secure context takes any text, and trusts nobody then.
 *
 * @throws Error none of them can be used
 */
export function checkAuthorities(pem: Buffer): void {
  const all = pem.toString('latin1').match(ONE_CERTIFICATE);
  if (all === null) throw new Error('there is no certificate of an authority');
  // OpenSSL reads nothing after one that is malformed, for which this throws.
  if (all.every((each) => isExpired(new X509Certificate(each))))
    throw new Error('the certificates of all authorities have expired');
}

/** Seconds of the epoch; NaN for what is no certificate. No errors. */
export function notAfterOf(pem: Buffer | undefined): number {
  try {
    return Date.parse(new X509Certificate(pem ?? '').validTo) / 1000;
  } catch {
    return NaN;
  }
}
