import type { Authorizer } from '../access/authorizer.js';
import { required } from './oauth-form.js';
import type { OAuthRequest } from './token-service.js';
import { looksLikeRefreshToken } from './tokens/refresh-token.js';
import { TokenFault } from './tokens/token-fault.js';

/**
 * Ends a token of the client (RFC 7009), or one of another issuer in a tenant that it administers. For any other text
 * nothing happens, and the answer is the same: it says nothing of tokens of others.
 * @throws OAuthError invalid_request
 * @throws ServiceError tooManyDenials, overloaded, storageUnavailable, storageFull, draining
 */
export async function revokeToken(
  { form, client, authority, changed }: OAuthRequest,
  authorizer: Pick<Authorizer, 'allows'>,
): Promise<void> {
  const token = required(form, 'token');
  if (looksLikeRefreshToken(token)) {
    const ended = await authority.refreshTokens.revoke(token, client.client);
    if (ended !== null) changed(ended.family);
    return;
  }
  const verified = await authority.accessTokens.verify(token);
  if (verified instanceof TokenFault) return;
  const { principal, address } = client;
  const mayEnd =
    verified.origin === undefined
      ? verified.client === client.client
      : authorizer.allows(principal, 'umbra:AdminWrite', `tenant/${verified.tenant}`, { address });
  if (!mayEnd) return;
  const { issuer, id, expiresAt } = verified;
  await authority.denials.deny({ kind: 'token', issuer, id }, expiresAt, client.client);
  changed(id);
}
