import { covers, EVERYTHING, scopesOf } from '../access/scopes.js';
import { grantError, OAuthError } from './oauth-error.js';
import { required } from './oauth-form.js';
import type { OAuthRequest } from './token-service.js';
import { TokenFault } from './tokens/token-fault.js';

/** Asks for a refresh token, as OpenID Connect Core section 11 names it. */
const OFFLINE = 'offline_access';

/** RFC 6749 section 5.1. */
export interface TokenAnswer {
  readonly access_token: string;
  readonly token_type: 'Bearer';
  /** Seconds. */
  readonly expires_in: number;
  readonly scope: string;
  readonly refresh_token?: string;
}

/**
 * Gives tokens for what `grant_type` says.
 * @throws OAuthError
 * @throws ServiceError storageUnavailable, storageFull, draining, tooManyRequests
 */
export function grantToken(request: OAuthRequest): Promise<TokenAnswer> {
  const type = required(request.form, 'grant_type');
  if (type === 'client_credentials') return byKey(request);
  if (type === 'refresh_token') return byRefreshToken(request);
  throw new OAuthError('unsupported_grant_type', 'grant_type must be client_credentials or refresh_token');
}

async function byKey(request: OAuthRequest): Promise<TokenAnswer> {
  const { client, authority } = request;
  const { scopes, isOffline } = asked(request);
  const granted = scopes.length === 0 ? [EVERYTHING] : scopes;
  const access = await accessToken(request, granted);
  if (!isOffline) return access;
  const { tenant, id } = client.principal;
  const { token } = await authority.refreshTokens.begin({ tenant, principal: id, scopes: granted }, client);
  return { ...access, scope: `${access.scope} ${OFFLINE}`, refresh_token: token };
}

async function byRefreshToken(request: OAuthRequest): Promise<TokenAnswer> {
  const { form, client, authority } = request;
  const { scopes } = asked(request);
  const grant = await authority.refreshTokens.use(required(form, 'refresh_token'), client);
  if (grant instanceof TokenFault) throw grantError(grant);
  // RFC 6749 section 6. Who asked for too much gets the same successor when it asks again.
  const wider = scopes.find((scope) => !covers(grant.scopes, scope));
  if (wider !== undefined) throw new OAuthError('invalid_scope', `the login does not include ${wider}`, 'AUTH_203');
  const access = await accessToken(request, scopes.length === 0 ? grant.scopes : scopes);
  return { ...access, scope: `${access.scope} ${OFFLINE}`, refresh_token: grant.token };
}

async function accessToken(request: OAuthRequest, scopes: readonly string[]): Promise<TokenAnswer> {
  const { client, authority } = request;
  const { tenant, id: principal } = client.principal;
  const issued = await authority.issuer.issue({ tenant, principal, scopes, client: client.client, key: client.key });
  if (issued instanceof TokenFault) throw grantError(issued);
  const { token, id, expiresIn } = issued;
  request.changed(id);
  return { access_token: token, token_type: 'Bearer', expires_in: expiresIn, scope: scopes.join(' ') };
}

function asked({ form }: OAuthRequest): { readonly scopes: readonly string[]; readonly isOffline: boolean } {
  const names = (form.get('scope') ?? '').split(' ');
  const scopes = scopesOf(names.filter((name) => name !== OFFLINE).join(' '));
  if (scopes !== null) return { scopes, isOffline: names.includes(OFFLINE) };
  const words =
    'scopes are actions of policies such as iot:GetThingShadow, umbra:* or *, 32 at most, and offline_access';
  throw new OAuthError('invalid_scope', words);
}
