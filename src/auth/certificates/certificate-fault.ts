/**
 * Why a certificate is refused. The texts say what to change; they repeat nothing of the certificate, so that they can
 * be logged and sent as they are.
 */
export const CERTIFICATE_FAULTS = {
  malformed: 'the certificate is not valid DER of X.509, or has an extension twice',
  weakSignature:
    'sign the certificate with ECDSA or RSA (PKCS #1 v1.5) over SHA-256, SHA-384 or SHA-512, or with Ed25519',
  weakKey: 'the key must be RSA of 2048 to 8192 bits, EC on P-256, P-384 or P-521, or Ed25519',
  unknownCritical: 'the certificate has a critical extension that is not supported here',
  isAuthority: 'a certificate of an authority cannot be one of a device; issue one with CA:FALSE',
  keyUsage: 'the key usage of the certificate lacks digitalSignature',
  extendedKeyUsage: 'the extended key usage of the certificate lacks clientAuth',
  unknownIssuer:
    'no registered authority has issued the certificate; register the one that signed it, also if it is an intermediate one',
  notYetValid: 'the certificate is not valid yet; look at the clocks of device, authority and node',
  expired: 'the certificate has expired; issue a new one',
  authorityDisabled: 'the authority of the certificate is disabled',
  authorityNotValid: 'the certificate of its authority has expired, or is not valid yet',
  noName:
    'the certificate names no thing: it needs exactly one common name (CN), or one alternative name where its authority is set so',
  manyNames: 'the certificate has several names; it needs exactly one',
  invalidName:
    'the name in the certificate is no thing name: use 1 to 128 characters of a-z, A-Z, 0-9, colon, underscore, hyphen',
  revoked: 'the certificate has been revoked, or its thing or authority has',
} as const;

/** Why a certificate is refused. */
export type CertificateReason = keyof typeof CERTIFICATE_FAULTS;

/** The refusal of a certificate. `message` is for the caller and for logs. */
export class CertificateFault extends Error {
  override readonly name = 'CertificateFault';
  readonly code = 'AUTH_109';

  constructor(readonly reason: CertificateReason) {
    super(CERTIFICATE_FAULTS[reason]);
  }
}
