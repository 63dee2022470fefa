import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { freePort } from '../harness/ports.js';
import { startSecureNode, type SecureNode } from '../harness/secure-node.js';

/** Clients of OAuth 2 that nobody here wrote: what they refuse, no device with such a library could use. */
const INSECURE = { [oauth.allowInsecureRequests]: true };
const SCOPE = 'iot:Get* offline_access';
let node: SecureNode;
let issuer: URL;
let secret: string;

beforeAll(async () => {
  const port = String(await freePort());
  issuer = new URL(`http://127.0.0.1:${port}`);
  node = await startSecureNode({ environment: { UMBRA_HTTP_PORT: port, UMBRA_AUTH_ISSUER: issuer.origin } });
  // The clients judge tokens by the clock of the machine.
  node.clock.set(Date.now());
  secret = await node.make('lamp', { thing: 'lamp', roles: ['device'] });
});
afterAll(() => node.stop());

describe.each([
  ['client_secret_basic', 'lamp', openid.ClientSecretBasic, oauth.ClientSecretBasic],
  // The slash has to be encoded in Basic.
  ['client_secret_basic, tenant named', 'default/lamp', openid.ClientSecretBasic, oauth.ClientSecretBasic],
  ['client_secret_post', 'lamp', openid.ClientSecretPost, oauth.ClientSecretPost],
] as const)('by %s', (_, client_id, openidMethod, method) => {
  const client: oauth.Client = { client_id };
  let server: oauth.AuthorizationServer;
  beforeAll(async () => {
    const found = await oauth.discoveryRequest(new URL(issuer.origin), { algorithm: 'oauth2', ...INSECURE });
    server = await oauth.processDiscoveryResponse(new URL(issuer.origin), found);
  });
  const configured = (key = secret): Promise<openid.Configuration> =>
    openid.discovery(issuer, client_id, key, openidMethod(key), {
      algorithm: 'oauth2',
      execute: [openid.allowInsecureRequests],
    });
  /** A token by oauth4webapi. */
  const grant = async (scope: string, key = secret): Promise<oauth.TokenEndpointResponse> => {
    const answer = await oauth.clientCredentialsGrantRequest(server, client, method(key), { scope }, INSECURE);
    return oauth.processClientCredentialsResponse(server, client, answer);
  };
  const shown = (token: string): Request =>
    new Request(`${issuer.origin}/v1/things/lamp/shadow`, { headers: { authorization: `Bearer ${token}` } });

  it('openid-client gets, uses, renews, inspects and ends tokens', async () => {
    const config = await configured();
    const first = await openid.clientCredentialsGrant(config, { scope: SCOPE });
    expect([first.token_type, first.scope, first.expiresIn()! > 3500]).toEqual(['bearer', SCOPE, true]);
    const next = await openid.refreshTokenGrant(config, first.refresh_token!);
    const url = new URL('/v1/auth/me', issuer);
    const me = await openid.fetchProtectedResource(config, next.access_token, url, 'GET');
    expect(await me.json()).toMatchObject({ principal: 'lamp', scopes: ['iot:Get*'] });
    const claims = { active: true, sub: 'lamp', client_id: 'default/lamp', iss: issuer.origin, token_type: 'Bearer' };
    expect(await openid.tokenIntrospection(config, next.access_token)).toMatchObject(claims);
    for (const token of [next.access_token, next.refresh_token!]) {
      await openid.tokenRevocation(config, token);
      expect(await openid.tokenIntrospection(config, token)).toEqual({ active: false });
    }
    await expect(openid.refreshTokenGrant(config, next.refresh_token!)).rejects.toMatchObject({
      ...{ name: 'ResponseBodyError', status: 400, error: 'invalid_grant' },
      error_description: expect.stringMatching(/revoked/),
    });
    await expect(openid.fetchProtectedResource(config, next.access_token, url, 'GET')).rejects.toMatchObject({
      cause: [{ scheme: 'bearer', parameters: { error: 'invalid_token' } }],
    });
  });

  it('oauth4webapi verifies tokens as a server of resources does, by the keys of the node', async () => {
    const { access_token, refresh_token } = await grant(SCOPE);
    const claims = await oauth.validateJwtAccessToken(server, shown(access_token), issuer.origin, INSECURE);
    expect(claims).toMatchObject({ sub: 'lamp', client_id: 'default/lamp', scope: 'iot:Get*' });
    const renewed = await oauth.refreshTokenGrantRequest(server, client, method(secret), refresh_token!, INSECURE);
    const { access_token: later } = await oauth.processRefreshTokenResponse(server, client, renewed);
    const [head, , signature] = access_token.split('.');
    const forged = [head, later.split('.')[1], signature].join('.');
    for (const [token, audience] of [
      [forged, issuer.origin],
      [access_token, 'https://other.example.com'],
    ] as const)
      await expect(oauth.validateJwtAccessToken(server, shown(token), audience, INSECURE)).rejects.toThrow(
        token === forged ? /signature verification failed/ : /"aud"/,
      );
  });

  it('both hear why they are refused', async () => {
    const challenge = { cause: [{ scheme: 'basic', parameters: { realm: 'umbra' } }], status: 401 };
    await expect(grant(SCOPE, `${secret.slice(0, -1)}x`)).rejects.toMatchObject(challenge);
    const config = await configured('umk_wrong');
    await expect(openid.clientCredentialsGrant(config)).rejects.toMatchObject(challenge);
    const names = { name: 'ResponseBodyError', error: 'invalid_scope', status: 400 };
    await expect(grant('root')).rejects.toMatchObject({
      ...names,
      error_description: expect.stringMatching(/scopes are/),
    });
    await expect(openid.refreshTokenGrant(await configured(), 'umr_x')).rejects.toMatchObject({
      error: 'invalid_grant',
    });
    const narrow = await grant('iot:GetThingShadow');
    const url = new URL('/v1/watch', issuer);
    const refused = openid.fetchProtectedResource(config, narrow.access_token, url, 'GET');
    await expect(refused).rejects.toMatchObject({
      ...{ status: 403, cause: [{ scheme: 'bearer', parameters: { error: 'insufficient_scope' } }] },
    });
  });
});
