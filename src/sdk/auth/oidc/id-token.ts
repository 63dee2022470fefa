import { objectOf } from '../../json.js';
import { clientError } from '../../umbra-error.js';

export interface Expected {
  readonly issuer: string;
  readonly clientId: string;
  readonly nonce: string;
}

/**
 * Checks that an ID token is of this issuer, for this client and for this login. It came from the token endpoint by TLS,
 * which stands for its signature (OpenID Connect Core 1.0, section 3.1.3.7), and has just been made.
 * @throws UmbraError bad-answer
 */
export function checkIdToken(token: unknown, { issuer, clientId, nonce }: Expected): void {
  const claims = typeof token === 'string' ? claimsOf(token) : null;
  if (!claims) throw clientError('bad-answer', 'the issuer has sent no ID token that can be read');
  const { iss, aud, azp, nonce: found } = claims;
  const audiences = [aud].flat();
  const isForUs = audiences.includes(clientId) && (azp === undefined ? audiences.length === 1 : azp === clientId);
  const wrong = iss !== issuer ? 'iss' : !isForUs ? 'aud' : found !== nonce ? 'nonce' : null;
  if (wrong !== null) throw clientError('bad-answer', `the ID token is for another login: its claim ${wrong} is wrong`);
}

function claimsOf(token: string): Record<string, unknown> | null {
  try {
    const bytes = atob((token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/'));
    return objectOf(new TextDecoder().decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0))));
  } catch {
    return null;
  }
}
