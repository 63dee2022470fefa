import { thumbprint, type PublicJwk, type StoredSigningKey } from './signing-key.js';

/** A ring never holds more: rotation is refused until the oldest has ended. */
export const MAX_SIGNING_KEYS = 16;

/**
 * The signing keys of a cluster. `next` is published before it is used, so that whoever keeps our keys has it in time;
 * the old ones stay until their last token has expired, so that a rotation logs nobody out.
 */
export interface SigningRing {
  readonly current: StoredSigningKey;
  readonly next: StoredSigningKey;
  readonly old: readonly StoredSigningKey[];
}

/** Why the record cannot be used. The message is for the operator. */
export class SigningRingError extends Error {
  override readonly name = 'SigningRingError';
}

/** The first ring. No errors. @param now epoch milliseconds */
export function firstRing(make: () => StoredSigningKey, now: number): SigningRing {
  return { current: { ...make(), since: now }, next: make(), old: [] };
}

/**
 * Signs with `next` from now on.
 * @param now epoch milliseconds
 * @param keepMs milliseconds that the last token of the present key can be valid for
 * @throws SigningRingError when the ring holds as many old keys as it may
 */
export function rotated(ring: SigningRing, made: StoredSigningKey, now: number, keepMs: number): SigningRing {
  const { current, next, old } = withoutEnded(ring, now);
  if (old.length + 3 > MAX_SIGNING_KEYS) {
    const earliest = new Date(Math.min(...old.map(({ until }) => until ?? now))).toISOString();
    throw new SigningRingError(
      `There are ${old.length} retired signing keys whose tokens are still valid; rotate again after ${earliest}`,
    );
  }
  const retired = { ...current, sealed: null, until: now + keepMs };
  return { current: { ...next, since: now }, next: made, old: [retired, ...old] };
}

/** The ring without keys of which no token is valid any more; the same one when there are none. No errors. */
export function withoutEnded(ring: SigningRing, now: number): SigningRing {
  const old = ring.old.filter(({ until }) => until !== null && until > now);
  return old.length === ring.old.length ? ring : { ...ring, old };
}

/** Every key by which a token may be signed or verified. No errors. */
export const keysOf = ({ current, next, old }: SigningRing): StoredSigningKey[] => [current, next, ...old];

const FORMAT = 1;

/** No errors. */
export function encodeRing(ring: SigningRing): string {
  return JSON.stringify({ format: FORMAT, ...ring });
}

/** @throws SigningRingError for anything that encodeRing() has not written */
export function decodeRing(text: string): SigningRing {
  const record = parse(text) as { format?: unknown; current?: unknown; next?: unknown; old?: unknown } | null;
  if (record?.format !== FORMAT) {
    const format = JSON.stringify(record?.format) ?? 'none';
    throw new SigningRingError(`The record of signing keys has format ${format}; this version reads ${FORMAT} only`);
  }
  if (!Array.isArray(record.old) || record.old.length > MAX_SIGNING_KEYS) throw damaged('old');
  return {
    current: readKey(record.current, 'current'),
    next: readKey(record.next, 'next'),
    old: record.old.map((key) => readKey(key, 'old')),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw damaged('JSON');
  }
}

function readKey(value: unknown, place: string): StoredSigningKey {
  const { kid, jwk, sealed, since, until } = (value ?? {}) as Partial<StoredSigningKey>;
  const { kty, crv, x, y } = (jwk ?? {}) as Partial<PublicJwk>;
  const isKey = kty === 'EC' && crv === 'P-256' && typeof x === 'string' && typeof y === 'string';
  if (!isKey || kid !== thumbprint({ kty, crv, x, y })) throw damaged(place);
  if (sealed !== null && typeof sealed !== 'string') throw damaged(place);
  return { kid, jwk: { kty, crv, x, y }, sealed, since: readTime(since, place), until: readTime(until, place) };
}

function readTime(value: unknown, place: string): number | null {
  if (value !== null && !Number.isSafeInteger(value)) throw damaged(place);
  return value as number | null;
}

const damaged = (place: string): SigningRingError =>
  new SigningRingError(`The record of signing keys is damaged (${place}); restore it, or delete it to make new keys`);
