import { required } from './oauth-form.js';
import type { OAuthRequest } from './token-service.js';
import { looksLikeRefreshToken } from './tokens/refresh-token.js';
import { TokenFault } from './tokens/token-fault.js';

/** RFC 7662 section 2.2: of a token that holds for nothing, nothing else is said. */
export type Introspection =
  { readonly active: false } | ({ readonly active: true } & Readonly<Record<string, unknown>>);

const INACTIVE: Introspection = { active: false };
const seconds = (ms: number): number => Math.floor(ms / 1_000);

/**
 * What a token holds for. A client learns of access tokens of its tenant, and of its own refresh tokens.
 * @param isAccepted whether a door would let the holder of this access token in
 * @throws OAuthError invalid_request
 * @throws ServiceError overloaded, storageUnavailable, draining
 */
export async function introspectToken(
  { form, client, authority }: OAuthRequest,
  isAccepted: (token: string) => Promise<boolean>,
): Promise<Introspection> {
  const token = required(form, 'token');
  if (looksLikeRefreshToken(token)) {
    const found = await authority.refreshTokens.inspect(token);
    if (found === null || found.client !== client.client) return INACTIVE;
    const { tenant, principal: sub, scopes, client: client_id, endsAt } = found;
    return { active: true, scope: scopes.join(' '), client_id, sub, tenant, exp: seconds(endsAt) };
  }
  const found = await authority.accessTokens.verify(token);
  if (found instanceof TokenFault || found.tenant !== client.principal.tenant) return INACTIVE;
  if (!(await isAccepted(token))) return INACTIVE;
  const { tenant, principal: sub, scopes, client: client_id, issuer: iss, id: jti, issuedAt, expiresAt } = found;
  const times = { iat: seconds(issuedAt), exp: seconds(expiresAt) };
  return { active: true, token_type: 'Bearer', scope: scopes.join(' '), client_id, sub, tenant, iss, jti, ...times };
}
