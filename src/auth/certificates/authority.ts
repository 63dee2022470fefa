import { X509Certificate, createHash, createPublicKey, type KeyObject } from 'node:crypto';
import type { NameSource } from '../../directory/records/authority-record.js';
import { ServiceError } from '../../errors/service-error.js';
import { readCertificate, type CertificateFacts } from './certificate-facts.js';
import { CERTIFICATE_FAULTS, type CertificateReason } from './certificate-fault.js';
import { fingerprintOf } from './fingerprint.js';
import { curveOrderOf, isStrongKey } from './strength.js';
import { CLIENT_AUTH, KEY_CERT_SIGN, allows } from './usage.js';

/** An authority of a tenant, as it is stored: plain JSON. */
export interface AuthorityRecord {
  readonly tenant: string;
  /** One certificate in PEM. */
  readonly pem: string;
  readonly nameFrom: NameSource;
  /** Whether its devices are refused for now. It keeps its key and its place all the same. */
  readonly isDisabled: boolean;
  /** Whether a device that nobody has registered becomes one when it first connects. */
  readonly registersAtFirstSight: boolean;
  /** Epoch milliseconds. Of two authorities that exclude each other the older one counts. */
  readonly registeredAtMs: number;
}

/**
 * A record with all that finding and using it needs. Its key is made when it is first used: OpenSSL takes half a
 * millisecond for each, and a node starts with the authorities of all tenants.
 */
export class Authority {
  readonly tenant: string;
  readonly nameFrom: NameSource;
  readonly isDisabled: boolean;
  readonly registersAtFirstSight: boolean;
  /** Epoch milliseconds. */
  readonly registeredAtMs: number;
  /** SHA-256 of its certificate, in hexadecimal. */
  readonly caId: string;
  /** DER of its name, one character a byte. */
  readonly subject: string;
  /** Hexadecimal: what the certificates that it issues have as their authority's key identifier. */
  readonly keyId: string;
  /** SHA-256 of its public key, in hexadecimal: certificates of a renewed authority have it in common. */
  readonly keyHash: string;
  /** Of its key's curve; null for RSA and Ed25519. */
  readonly curveOrder: bigint | null;
  /** Epoch milliseconds. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly #keyInfo: Buffer;
  #key: KeyObject | null = null;

  constructor(record: AuthorityRecord, der: Buffer, facts: CertificateFacts) {
    this.tenant = record.tenant;
    this.nameFrom = record.nameFrom;
    this.isDisabled = record.isDisabled;
    this.registersAtFirstSight = record.registersAtFirstSight;
    this.registeredAtMs = record.registeredAtMs;
    this.caId = fingerprintOf(der);
    this.subject = facts.subject;
    // RFC 5280 section 4.2.1.2, method 1, is what issuers take when the authority does not name its key.
    this.keyId = facts.extensions.subjectKeyId ?? createHash('sha1').update(facts.publicKey.bits).digest('hex');
    this.keyHash = fingerprintOf(facts.publicKey.info);
    this.curveOrder = curveOrderOf(facts.publicKey);
    this.notBeforeMs = facts.notBeforeMs;
    this.notAfterMs = facts.notAfterMs;
    this.#keyInfo = facts.publicKey.info;
  }

  /**
   * Whether a certificate has been signed with its key.
   *
   * @throws Error of node:crypto when its own key is none, which checkAuthority finds
   */
  hasSigned(certificate: X509Certificate): boolean {
    this.#key ??= createPublicKey({ key: this.#keyInfo, format: 'der', type: 'spki' });
    return certificate.verify(this.#key);
  }
}

/** Characters of a PEM text. */
const MAX_PEM_LENGTH = 32 * 1024;
/** Bytes of the longest name that is indexed. */
const MAX_NAME_BYTES = 1024;
const BEGIN = '-----BEGIN CERTIFICATE-----';
const END = '-----END CERTIFICATE-----';
const NO_CERTIFICATE = `This is no certificate: ${CERTIFICATE_FAULTS.malformed}`;

/**
 * Reads a stored record, and checks that its certificate may issue those of devices. Dates are not checked: an
 * authority that has expired must be known, so that its devices are told so.
 *
 * @throws ServiceError invalidRequest with what to change
 */
export function readAuthority(record: AuthorityRecord): Authority {
  const der = derOf(record.pem);
  const facts = factsOf(der);
  const fault = faultOf(facts);
  if (fault) throw new ServiceError('invalidRequest', fault);
  return new Authority(record, der, facts);
}

/**
 * Checks an authority that is to be registered: as `readAuthority` does, and that OpenSSL can use it now.
 *
 * @param nowMs epoch milliseconds
 * @throws ServiceError invalidRequest with what to change
 */
export function checkAuthority(record: AuthorityRecord, nowMs: number): Authority {
  const authority = readAuthority(record);
  const { certificate } = parse(record.pem);
  try {
    authority.hasSigned(certificate);
  } catch {
    throw new ServiceError('invalidRequest', `The authority cannot be used: ${CERTIFICATE_FAULTS.weakKey}`);
  }
  const { notBeforeMs, notAfterMs } = authority;
  if (nowMs > notAfterMs) throw new ServiceError('invalidRequest', 'The certificate of the authority has expired');
  if (nowMs < notBeforeMs) {
    throw new ServiceError('invalidRequest', 'The certificate of the authority is not valid yet');
  }
  return authority;
}

/**
 * The one certificate of a PEM text, parsed by OpenSSL and by us.
 *
 * @throws ServiceError invalidRequest
 */
export function parse(pem: string): { certificate: X509Certificate; facts: CertificateFacts } {
  const der = derOf(pem);
  const facts = factsOf(der);
  try {
    return { certificate: new X509Certificate(der), facts };
  } catch {
    throw new ServiceError('invalidRequest', NO_CERTIFICATE);
  }
}

function factsOf(der: Buffer): CertificateFacts {
  try {
    return readCertificate(der);
  } catch {
    throw new ServiceError('invalidRequest', NO_CERTIFICATE);
  }
}

/** RFC 7468 section 5.1, with any text around it. */
function derOf(pem: string): Buffer {
  if (pem.length > MAX_PEM_LENGTH) throw new ServiceError('invalidRequest', 'The PEM text is too long');
  if (pem.includes('PRIVATE KEY')) {
    const advice = 'keep it where it was made, and send the certificate alone';
    throw new ServiceError('invalidRequest', `The PEM text has a private key; ${advice}`);
  }
  const [before, behind, ...others] = pem.split(BEGIN);
  const [base64, end] = behind?.split(END) ?? [];
  const isOne = before !== undefined && end !== undefined && others.length === 0 && !before.includes('-----BEGIN');
  if (!isOne || end.includes('-----BEGIN')) {
    throw new ServiceError('invalidRequest', 'Send exactly one certificate, in PEM (BEGIN CERTIFICATE)');
  }
  return Buffer.from(base64 ?? '', 'base64');
}

function faultOf({ subject, publicKey, extensions }: CertificateFacts): string | null {
  const { isAuthority, keyUsage, extendedKeyUsages, hasUnknownCritical } = extensions;
  const as = (reason: CertificateReason): string => `The authority cannot be used: ${CERTIFICATE_FAULTS[reason]}`;
  if (isAuthority !== true) return 'The certificate is not one of an authority (basic constraints need CA:TRUE)';
  if (keyUsage && !allows(keyUsage, KEY_CERT_SIGN)) return 'The key usage of the authority lacks keyCertSign';
  if (extendedKeyUsages && !extendedKeyUsages.includes(CLIENT_AUTH)) return as('extendedKeyUsage');
  // Such as name constraints, which would have to be applied to each device.
  if (hasUnknownCritical) return as('unknownCritical');
  if (!isStrongKey(publicKey)) return as('weakKey');
  if (subject.length > MAX_NAME_BYTES) return `The name of the authority is longer than ${MAX_NAME_BYTES} bytes`;
  return null;
}
