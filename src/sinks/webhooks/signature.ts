import { createHmac, randomBytes } from 'node:crypto';

/** Standard Webhooks 1.0: a symmetric secret is this prefix and 24 to 64 bytes as base64. */
const PREFIX = 'whsec_';
const LEAST_BYTES = 24;
const MOST_BYTES = 64;
/** Bytes of a secret that the service makes: as many as HMAC-SHA256 gives. */
const MADE_BYTES = 32;

/** A new secret, as receivers enter it: `whsec_` and base64. No errors. */
export function makeSecret(): string {
  return PREFIX + randomBytes(MADE_BYTES).toString('base64');
}

/**
 * The key of a secret that a caller has given.
 * @param secret `whsec_` and 24 to 64 bytes as base64
 * @throws RangeError that says what is wrong with it, and shows no part of it
 */
export function secretKey(secret: string): Uint8Array {
  const text = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : null;
  if (text === null) throw new RangeError(`a secret begins with ${PREFIX}`);
  const key = Buffer.from(text, 'base64');
  // Node passes over what is not base64; the receiver may not.
  if (key.toString('base64') !== text) throw new RangeError(`a secret is base64 after ${PREFIX}, with its padding`);
  if (key.length < LEAST_BYTES || key.length > MOST_BYTES)
    throw new RangeError(`a secret has ${LEAST_BYTES} to ${MOST_BYTES} bytes, not ${key.length}`);
  return key;
}

/** What is signed and sent. */
export interface SignedMessage {
  /** The same at each attempt. ASCII without a full stop, which separates the parts of what is signed. */
  readonly id: string;
  /** Epoch milliseconds of the attempt: receivers refuse one that is old. */
  readonly at: number;
  readonly body: string;
}

/**
 * The three headers of Standard Webhooks.
 * @param keys one signature for each, the newest first: while a secret is replaced receivers may know either one
 */
export function signedHeaders(keys: readonly Uint8Array[], { id, at, body }: SignedMessage): Record<string, string> {
  const seconds = Math.floor(at / 1000);
  const sign = (key: Uint8Array): string =>
    `v1,${createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')}`;
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': keys.map(sign).join(' '),
  };
}
