import { X509Certificate } from 'node:crypto';

/** @throws Error no PEM, or expired */
export function checkedCertificate(pem: Buffer | undefined): X509Certificate {
  const certificate = new X509Certificate(pem ?? '');
  if (Date.parse(certificate.validTo) < Date.now())
    throw new Error(`the certificate expired on ${certificate.validTo}`);
  return certificate;
}

/** Seconds of the epoch; NaN for what is no certificate. No errors. */
export function notAfterOf(pem: Buffer | undefined): number {
  try {
    return Date.parse(new X509Certificate(pem ?? '').validTo) / 1000;
  } catch {
    return NaN;
  }
}
