import { X509Certificate, createHash, type KeyObject } from 'node:crypto';
import { ServiceError } from '../../errors/service-error.js';
import { readCertificate, type CertificateFacts } from './certificate-facts.js';
import { CERTIFICATE_FAULTS, type CertificateReason } from './certificate-fault.js';
import { fingerprintOf } from './fingerprint.js';
import { CURVE_ORDERS, isStrongKey } from './strength.js';
import { CLIENT_AUTH, KEY_CERT_SIGN, allows } from './usage.js';

/** Where the certificates of an authority have the name of their thing. */
export type NameSource = 'commonName' | 'dnsName' | 'uri';

/** An authority of a tenant, as it is stored: plain JSON. */
export interface AuthorityRecord {
  readonly tenant: string;
  /** One certificate in PEM. */
  readonly pem: string;
  readonly nameFrom: NameSource;
  /** Whether a device that nobody has registered becomes one when it first connects. */
  readonly registersAtFirstSight: boolean;
  /** Epoch milliseconds. Of two authorities that exclude each other the older one counts. */
  readonly registeredAtMs: number;
}

/** A record that has been checked, with all that finding and using it needs. */
export interface Authority extends Omit<AuthorityRecord, 'pem'> {
  /** SHA-256 of its certificate, in hexadecimal. */
  readonly caId: string;
  /** DER of its name, one character a byte. */
  readonly subject: string;
  /** Hexadecimal: what the certificates that it issues have as their authority's key identifier. */
  readonly keyId: string;
  /** SHA-256 of its public key, in hexadecimal: certificates of a renewed authority have it in common. */
  readonly keyHash: string;
  readonly key: KeyObject;
  /** Of its key's curve; null for RSA and Ed25519. */
  readonly curveOrder: bigint | null;
  /** Epoch milliseconds. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Characters of a PEM text. */
const MAX_PEM_LENGTH = 32 * 1024;
/** Bytes of the longest name that is indexed. */
const MAX_NAME_BYTES = 1024;
const BEGIN = '-----BEGIN ';

/**
 * Reads a record, and checks that its certificate may issue those of devices. Dates are not checked: a stored authority
 * that has expired must be known, so that its devices are told so.
 *
 * @throws ServiceError invalidRequest with what to change
 */
export function readAuthority(record: AuthorityRecord): Authority {
  const { tenant, nameFrom, registersAtFirstSight, registeredAtMs } = record;
  const { certificate, facts } = parse(record.pem);
  const fault = faultOf(facts, certificate.publicKey);
  if (fault) throw new ServiceError('invalidRequest', fault);
  const { asymmetricKeyDetails } = certificate.publicKey;
  return {
    ...{ tenant, nameFrom, registersAtFirstSight, registeredAtMs },
    caId: fingerprintOf(certificate.raw),
    subject: facts.subject,
    // RFC 5280 section 4.2.1.2, method 1, is what issuers take when the authority does not name its key.
    keyId: facts.extensions.subjectKeyId ?? createHash('sha1').update(facts.publicKey).digest('hex'),
    keyHash: fingerprintOf(facts.publicKeyInfo),
    key: certificate.publicKey,
    curveOrder: CURVE_ORDERS.get(asymmetricKeyDetails?.namedCurve ?? '') ?? null,
    notBeforeMs: facts.notBeforeMs,
    notAfterMs: facts.notAfterMs,
  };
}

/**
 * Checks that an authority which is to be registered is valid now.
 *
 * @param nowMs epoch milliseconds
 * @throws ServiceError invalidRequest
 */
export function checkAuthorityDates({ notBeforeMs, notAfterMs }: Authority, nowMs: number): void {
  if (nowMs > notAfterMs) throw new ServiceError('invalidRequest', 'The certificate of the authority has expired');
  if (nowMs < notBeforeMs)
    throw new ServiceError('invalidRequest', 'The certificate of the authority is not valid yet');
}

/**
 * The one certificate of a PEM text.
 *
 * @throws ServiceError invalidRequest
 */
export function parse(pem: string): { certificate: X509Certificate; facts: CertificateFacts } {
  if (pem.length > MAX_PEM_LENGTH) throw new ServiceError('invalidRequest', 'The PEM text is too long');
  if (pem.includes('PRIVATE KEY')) {
    const advice = 'keep it where it was made, and send the certificate alone';
    throw new ServiceError('invalidRequest', `The PEM text has a private key; ${advice}`);
  }
  const isOne = pem.indexOf(BEGIN) === pem.lastIndexOf(BEGIN) && pem.includes(`${BEGIN}CERTIFICATE-----`);
  if (!isOne) throw new ServiceError('invalidRequest', 'Send exactly one certificate, in PEM (BEGIN CERTIFICATE)');
  try {
    const certificate = new X509Certificate(pem);
    return { certificate, facts: readCertificate(certificate.raw) };
  } catch {
    throw new ServiceError('invalidRequest', `This is no certificate: ${CERTIFICATE_FAULTS.malformed}`);
  }
}

function faultOf({ subject, extensions }: CertificateFacts, key: KeyObject): string | null {
  const { isAuthority, keyUsage, extendedKeyUsages, hasUnknownCritical } = extensions;
  const as = (reason: CertificateReason): string => `The authority cannot be used: ${CERTIFICATE_FAULTS[reason]}`;
  if (isAuthority !== true) return 'The certificate is not one of an authority (basic constraints need CA:TRUE)';
  if (keyUsage && !allows(keyUsage, KEY_CERT_SIGN)) return 'The key usage of the authority lacks keyCertSign';
  if (extendedKeyUsages && !extendedKeyUsages.includes(CLIENT_AUTH)) return as('extendedKeyUsage');
  // Such as name constraints, which would have to be applied to each device.
  if (hasUnknownCritical) return as('unknownCritical');
  if (!isStrongKey(key)) return as('weakKey');
  if (subject.length > MAX_NAME_BYTES) return `The name of the authority is longer than ${MAX_NAME_BYTES} bytes`;
  return null;
}
