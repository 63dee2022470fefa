/** RFC 6750 section 2.1. */
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*) *$/i;

/**
 * The token of `Authorization: Bearer`, as HTTP and gRPC send it. No errors.
 * @returns null: there is no `Authorization`; empty: it is none of this kind, and so nobody's
 */
export function bearerOf(authorization: string | undefined): string | null {
  return authorization === undefined ? null : (BEARER.exec(authorization)?.[1] ?? '');
}
