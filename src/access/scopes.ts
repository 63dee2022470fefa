/** Scopes of one token. */
const MAX_SCOPES = 32;
/** The scope of a token that may do all that its principal may. */
export const EVERYTHING = '*';
const SCOPE = /^(?:\*|(?:iot|umbra):(?:\*|[A-Za-z]{1,64}\*?))$/;

/**
 * Reads scopes (RFC 6749 section 3.3). Each names an action of policies, or ends with an asterisk and names all that
 * begin so: `iot:GetThingShadow`, `umbra:*`, `*`. No errors.
 * @returns null: one of them is no scope, or there are more than 32
 */
export function scopesOf(text: string): readonly string[] | null {
  const scopes = [...new Set(text.split(' ').filter((scope) => scope !== ''))];
  return scopes.length <= MAX_SCOPES && scopes.every((scope) => SCOPE.test(scope)) ? scopes : null;
}

/**
 * Whether scopes include an action, or all that another scope includes. They never allow what policies do not. No errors.
 * @param scopes undefined: nothing limits the credential
 */
export function covers(scopes: readonly string[] | undefined, action: string): boolean {
  if (scopes === undefined || scopes[0] === EVERYTHING) return true;
  return scopes.some((scope) => (scope.endsWith('*') ? action.startsWith(scope.slice(0, -1)) : scope === action));
}
