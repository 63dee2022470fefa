/** A client token that says when its request was due, so that who is told of the change needs no other memory of it. */
let last = 0;

export const tokenOf = (dueAt: number): string => `${++last}@${dueAt.toFixed(3)}`;

/** Milliseconds of `performance.now()`; null: no token of this load. */
export function dueAtOf(token: unknown): number | null {
  if (typeof token !== 'string') return null;
  const at = token.indexOf('@');
  return at < 0 ? null : Number(token.slice(at + 1));
}
