import type { X509Certificate } from 'node:crypto';
import { isThingName } from '../../document/shadow-name.js';
import type { NameSource } from '../../directory/records/authority-record.js';
import type { Authority } from './authority.js';
import type { CaRegistry } from './ca-registry.js';
import { readCertificate, type CertificateFacts, type NameValue } from './certificate-facts.js';
import { CertificateFault, type CertificateReason } from './certificate-fault.js';
import { TAG } from './der.js';
import { ALTERNATIVE_NAME_TAG } from './extensions.js';
import { fingerprintOf, twinFingerprintOf } from './fingerprint.js';
import { isRevoked, type Revocable, type RevocationLookup } from './revocations.js';
import { isStrongKey, isStrongSignature } from './strength.js';
import { CLIENT_AUTH, DIGITAL_SIGNATURE, KEY_CERT_SIGN, allows } from './usage.js';

/** What certificates are judged by, at one moment. */
export interface Trust {
  readonly authorities: CaRegistry;
  readonly revocations: RevocationLookup;
  /** Milliseconds that the clocks of issuer and node may differ. */
  readonly skewMs: number;
}

/** A device that has proved to be one. It is kept with the connection, and judged again when the trust changes. */
export interface DeviceIdentity extends Revocable {
  readonly tenant: string;
  readonly thing: string;
  /** SHA-256 of the certificate, in hexadecimal: what AWS calls the certificate id. */
  readonly fingerprint: string;
  /** SHA-256 of the certificate of its authority, in hexadecimal. */
  readonly caId: string;
  /** Hexadecimal. */
  readonly serialNumber: string;
  /** Epoch milliseconds. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Whether the device becomes registered by connecting, if nobody has registered it. */
  readonly registersAtFirstSight: boolean;
}

/** The device of a certificate, or why it has none. */
export type DeviceCheck =
  | { readonly kind: 'device'; readonly device: DeviceIdentity }
  | { readonly kind: 'fault'; readonly fault: CertificateFault };

/**
 * Finds the device of a certificate that a peer of TLS has shown. That the peer has its private key is TLS's part.
 *
 * The authority that signed it must be registered itself: certificates that a peer sends along are not looked at. A
 * resumed session does not bring them, and a path of any length would be work that strangers ask for.
 *
 * @param nowMs epoch milliseconds
 * @returns No errors: what is wrong is in the answer
 */
export function checkDevice(certificate: X509Certificate, trust: Trust, nowMs: number): DeviceCheck {
  try {
    const device = identify(certificate, trust);
    const reason = judgeDevice(device, trust, nowMs);
    return reason === null ? { kind: 'device', device } : refused(new CertificateFault(reason));
  } catch (error) {
    return refused(error instanceof CertificateFault ? error : new CertificateFault('malformed'));
  }
}

/**
 * Whether a device that proved to be one may go on: for each open connection after a change, 1 µs each.
 *
 * @param nowMs epoch milliseconds
 * @returns why not; null when it may
 */
export function judgeDevice(device: DeviceIdentity, trust: Trust, nowMs: number): CertificateReason | null {
  if (isRevoked(device, trust.revocations)) return 'revoked';
  const { skewMs } = trust;
  if (nowMs - skewMs > device.notAfterMs) return 'expired';
  if (nowMs + skewMs < device.notBeforeMs) return 'notYetValid';
  const registered = trust.authorities.withKey(device.tenant, device.keyHash);
  if (registered.length === 0) return 'unknownIssuer';
  const authorities = registered.filter(({ isDisabled }) => !isDisabled);
  if (authorities.length === 0) return 'authorityDisabled';
  const isValid = ({ notBeforeMs, notAfterMs }: Authority): boolean =>
    nowMs - skewMs <= notAfterMs && nowMs + skewMs >= notBeforeMs;
  return authorities.some(isValid) ? null : 'authorityNotValid';
}

const refused = (fault: CertificateFault): DeviceCheck => ({ kind: 'fault', fault });

function identify(certificate: X509Certificate, { authorities }: Trust): DeviceIdentity {
  // The bytes that OpenSSL has parsed: another text could mean one thing there and another here.
  const der = certificate.raw;
  const facts = readCertificate(der);
  const fault = faultOf(facts);
  if (fault !== null) throw new CertificateFault(fault);
  const authority = issuerOf(certificate, facts, authorities);
  const { tenant, caId, keyHash, registersAtFirstSight } = authority;
  return {
    ...{ tenant, caId, keyHash, registersAtFirstSight },
    thing: thingOf(facts, authority.nameFrom),
    fingerprint: fingerprintOf(der),
    twin: twinFingerprintOf(der, authority.curveOrder),
    serialNumber: facts.serialNumber,
    notBeforeMs: facts.notBeforeMs,
    notAfterMs: facts.notAfterMs,
  };
}

/** What is wrong with a certificate of a device, whoever has issued it. */
function faultOf({ signatureAlgorithm, publicKey, extensions }: CertificateFacts): CertificateReason | null {
  const { isAuthority, keyUsage, extendedKeyUsages, hasUnknownCritical } = extensions;
  if (!isStrongSignature(signatureAlgorithm)) return 'weakSignature';
  if (!isStrongKey(publicKey)) return 'weakKey';
  if (hasUnknownCritical) return 'unknownCritical';
  if (isAuthority === true || (keyUsage && allows(keyUsage, KEY_CERT_SIGN))) return 'isAuthority';
  if (keyUsage && !allows(keyUsage, DIGITAL_SIGNATURE)) return 'keyUsage';
  if (extendedKeyUsages && !extendedKeyUsages.includes(CLIENT_AUTH)) return 'extendedKeyUsage';
  return null;
}

function issuerOf(certificate: X509Certificate, facts: CertificateFacts, authorities: CaRegistry): Authority {
  const candidates = authorities.candidates(facts.issuer, facts.extensions.authorityKeyId);
  const issuer = candidates.find((authority) => authority.hasSigned(certificate));
  if (!issuer) throw new CertificateFault('unknownIssuer');
  // The settings of the latest certificate of a renewed authority count.
  return candidates.findLast(({ keyHash }) => keyHash === issuer.keyHash) ?? issuer;
}

function thingOf({ commonNames, extensions }: CertificateFacts, from: NameSource): string {
  const names = from === 'commonName' ? commonNames : alternativeNames(extensions.alternativeNames ?? [], from);
  const [name, ...others] = names;
  if (!name) throw new CertificateFault('noName');
  if (others.length > 0) throw new CertificateFault('manyNames');
  const thing = from === 'commonName' && !TEXTS.has(name.tag) ? '' : name.content.toString('latin1');
  // The alphabet is ASCII, so that a look-alike of UTF-8 is none, and neither are a line feed and a NUL.
  if (!isThingName(thing)) throw new CertificateFault('invalidName');
  return thing;
}

/** Kinds of text whose ASCII characters are single bytes, and mean nothing else. */
const TEXTS: ReadonlySet<number> = new Set([TAG.utf8String, TAG.printableString, TAG.ia5String]);

function alternativeNames(names: readonly NameValue[], from: Exclude<NameSource, 'commonName'>): NameValue[] {
  return names.filter(({ tag }) => tag === ALTERNATIVE_NAME_TAG[from]);
}
