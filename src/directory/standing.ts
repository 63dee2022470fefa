import type { CertificateOrigin, Principal } from '../access/principal.js';
import type { AccessDirectory } from './access-directory.js';

/** Begins the credential of a principal that has shown a key. */
export const KEY_CREDENTIAL = 'key:';

/** Begins the credential of a principal that has shown a certificate. */
export const CERTIFICATE_CREDENTIAL = 'certificate:';

/**
 * Whether a principal may still act at all: its tenant and itself are there and enabled, and so is what it has shown. No
 * errors.
 * @param now milliseconds since 1970
 */
export function stands(directory: AccessDirectory, principal: Principal, now: number): boolean {
  const { tenant, credential, expiresAt } = principal;
  if (expiresAt !== undefined && expiresAt <= now) return false;
  if (directory.get('tenant', tenant)?.record.isDisabled !== false) return false;
  if (!principalStands(directory, principal)) return false;
  if (principal.certificate !== undefined) return isCertified(directory, principal, principal.certificate);
  if (!credential?.startsWith(KEY_CREDENTIAL)) return true;
  return keyStands(directory, principal, credential.slice(KEY_CREDENTIAL.length), now);
}

/**
 * Whether the principal itself is there and enabled. One of an issuer need not be there: its issuer has to be, as it was
 * when the token was read. No errors.
 */
export function principalStands(
  directory: AccessDirectory,
  { tenant, id, issuer, thing }: Pick<Principal, 'tenant' | 'id' | 'issuer' | 'thing'>,
): boolean {
  const record = directory.get('principal', tenant, id)?.record;
  // What a connection may do is decided by the thing that it came with: the device comes again with its new one.
  if ((record?.thing ?? null) !== (thing ?? null)) return false;
  if (issuer === undefined) return record?.isDisabled === false;
  const registered = directory.get('issuer', tenant, issuer.name);
  const isRegistered = registered?.revision === issuer.revision && !registered.record.isDisabled;
  return isRegistered && record?.isDisabled !== true;
}

/**
 * Whether a key is there, enabled, and of this principal. No errors.
 * @param now milliseconds since 1970
 */
export function keyStands(directory: AccessDirectory, { tenant, id }: Principal, keyId: string, now: number): boolean {
  const key = directory.get('key', keyId)?.record;
  if (key?.isDisabled !== false || key.tenant !== tenant || key.principal !== id) return false;
  return key.expiresAtMs === null || key.expiresAtMs > now;
}

/** Whether a device is still the one of its certificate, and nothing is revoked. Its dates are in `expiresAt`. */
function isCertified(
  directory: AccessDirectory,
  { tenant, id, thing = '', certificateId = '' }: Principal,
  { twinId, authority, authorityKey }: CertificateOrigin,
): boolean {
  if (directory.get('principal', tenant, id)?.record.kind !== 'device') return false;
  // Of a renewed authority another certificate may be there: the device is let in by that when it connects again.
  if (directory.get('authority', tenant, authority)?.record.isDisabled !== false) return false;
  const isRevoked = (kind: string, of: string): boolean => directory.get('revocation', tenant, kind, of) !== null;
  if (isRevoked('certificate', certificateId) || isRevoked('thing', thing)) return false;
  return !isRevoked('authority', authorityKey) && (twinId === null || !isRevoked('certificate', twinId));
}
