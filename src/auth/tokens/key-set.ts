import type { JSONWebKeySet, JWK } from 'jose';

export const MAX_KEYS = 100;

const KEY_TYPES = new Set(['EC', 'RSA', 'OKP']);
const MAX_KID = 256;

/**
 * The public keys of a key set (RFC 7517). Keys of other kinds, for encryption, and private or symmetric ones, which
 * nobody should publish, are left out.
 * @throws Error when it is no key set, has too many keys, or none that verifies
 */
export function readKeySet(value: unknown): JSONWebKeySet {
  const { keys } = (value ?? {}) as { keys?: unknown };
  if (!Array.isArray(keys)) throw new Error('the answer is not a key set');
  if (keys.length > MAX_KEYS) throw new Error(`the key set has ${keys.length} keys; at most ${MAX_KEYS} are used`);
  const usable = (keys as unknown[]).filter(isPublicKey);
  if (usable.length === 0) throw new Error('the key set has no key that verifies signatures');
  return { keys: usable };
}

function isPublicKey(value: unknown): value is JWK {
  if (typeof value !== 'object' || value === null) return false;
  const { kty, use, kid, d, k } = value as Record<string, unknown>;
  const hasKid = kid === undefined || (typeof kid === 'string' && kid.length <= MAX_KID);
  const verifies = use === undefined || use === 'sig';
  return KEY_TYPES.has(String(kty)) && verifies && hasKid && d === undefined && k === undefined;
}
