import { clientError } from '../../umbra-error.js';
import type { Auth } from '../auth.js';
import { bearer } from '../bearer.js';

/** A key of the service: its prefix, and 64 characters with a checksum. */
const KEY = /^umk_[A-Za-z0-9]{64}$/;

/**
 * A key of a principal, sent as it is with each request.
 * @throws UmbraError invalid-argument for a text that is no key; it does not repeat it
 */
export function apiKey(key: string): Auth {
  if (KEY.test(key)) return bearer(key);
  throw clientError('invalid-argument', 'a key begins with umk_ and has 68 characters');
}
