import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { freePort } from '../harness/ports.js';
import { startSecureNode, type SecureNode } from '../harness/secure-node.js';
import { until } from '../harness/until.js';

/** Debian's package (`apt-get install glewlwyd sqlite3`), in C. Where it is not installed these tests are skipped. */
const SCHEMA = '/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz';
const MODULES = '/usr/lib/glewlwyd';
const isInstalled = [SCHEMA, MODULES, '/usr/bin/glewlwyd', '/usr/bin/sqlite3'].every((path) => existsSync(path));
const CLIENT = { client_id: 'console', password: 'not-a-secret' };

let node: SecureNode;
let server: ChildProcess;
let folder: string;
let api: string;

/** One request. Glewlwyd answers to those of its administration with a status alone. */
async function call(path: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  const isForm = body instanceof URLSearchParams;
  const answer = await fetch(api + path, {
    method: 'POST',
    headers: { ...(!isForm && { 'content-type': 'application/json' }), ...headers },
    body: isForm ? body : JSON.stringify(body),
  });
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer;
}

async function start(): Promise<void> {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  api = `${origin}/api`;
  const database = join(folder, 'glewlwyd.db');
  const made = spawnSync('/usr/bin/sqlite3', [database], { input: gunzipSync(readFileSync(SCHEMA)) });
  if (made.status !== 0) throw new Error(made.stderr.toString());
  const config = join(folder, 'glewlwyd.conf');
  writeFileSync(
    config,
    `port=${port}
bind_address="127.0.0.1"
external_url="${origin}"
login_url="login.html"
api_prefix="api"
log_mode="console"
log_level="ERROR"
cookie_domain="127.0.0.1"
cookie_secure=0
session_expiration=3600
session_key="SESSION"
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="${MODULES}/user"
client_module_path="${MODULES}/client"
user_auth_scheme_module_path="${MODULES}/scheme"
plugin_module_path="${MODULES}/plugin"
use_secure_connection=false
secure_connection_key_file=""
secure_connection_pem_file=""
hash_algorithm="SHA512"
database={ type="sqlite3"; path="${database}"; };
`,
  );
  server = spawn('/usr/bin/glewlwyd', [`--config-file=${config}`], { stdio: 'ignore' });
  await until('glewlwyd', () => fetch(api).then(Boolean, () => false));
}

/** Makes it an OpenID provider with a client, as its administrator does by its pages. */
async function configure(): Promise<void> {
  const login = await call('/auth/', { username: 'admin', password: 'password' });
  const cookie = login.headers.get('set-cookie')?.split(';', 1)[0] ?? '';
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const parameters = {
    ...{ iss: `${api}/oidc`, 'jwt-type': 'ecdsa', 'jwt-key-size': '256', 'jwks-show': true },
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: publicKey.export({ type: 'spki', format: 'pem' }),
    ...{ 'access-token-duration': 600, 'refresh-token-duration': 1200, 'code-duration': 60 },
    ...{ 'refresh-token-rolling': false, 'allow-non-oidc': true, 'subject-type': 'public' },
    ...{ 'auth-type-code-enabled': true, 'auth-type-id-token-enabled': true, 'auth-type-client-enabled': true },
  };
  const oidc = { module: 'oidc', name: 'oidc', display_name: 'oidc', enabled: true, parameters };
  await call('/mod/plugin/', oidc, { cookie });
  const client = { name: 'console', confidential: true, enabled: true, scope: ['umbra'], redirect_uri: [origin()] };
  const grants = { authorization_type: ['client_credentials'], token_endpoint_auth_method: ['client_secret_basic'] };
  await call('/client/?source=database', { ...CLIENT, ...client, ...grants }, { cookie });
}

const origin = (): string => new URL(api).origin;

async function granted(): Promise<string> {
  const basic = Buffer.from(`${CLIENT.client_id}:${CLIENT.password}`).toString('base64');
  const form = new URLSearchParams({ grant_type: 'client_credentials', scope: 'umbra' });
  const answer = await call('/oidc/token', form, { authorization: `Basic ${basic}` });
  return ((await answer.json()) as { access_token: string }).access_token;
}

(isInstalled ? describe : describe.skip)('glewlwyd', () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'umbra-glewlwyd-'));
    await start();
    await configure();
    node = await startSecureNode();
    node.clock.set(Date.now());
  });
  afterAll(async () => {
    server.kill();
    await node.stop();
    rmSync(folder, { recursive: true });
  });

  it('lets its clients in by HTTP and MQTT, and goes on by its keys when it has ended', async () => {
    const path = '/v1/issuers/gl';
    const members = { url: `${api}/oidc`, audiences: ['umbra'], rolesFrom: 'scope', roles: { umbra: ['operator'] } };
    expect((await node.ask('PUT', path, node.admin, members)).status).toBe(201);
    await until('its keys', async () => (await node.ask('GET', path, node.admin)).body.keys === 1);
    const [text, later] = [await granted(), await granted()];
    const { body } = await node.ask('GET', '/v1/auth/me', text);
    expect(body).toMatchObject({ tenant: 'default', principal: 'gl~console', roles: ['operator'] });
    const made = await node.ask('POST', '/things/lamp/shadow', text, '{"state":{"desired":{"on":true}}}');
    expect(made.status).toBe(200);
    server.kill();
    await until('its end', () => server.exitCode !== null || server.signalCode !== null);
    const client = await node.connect('gl~console', later);
    await client.subscribeAsync('$aws/things/lamp/shadow/update/accepted');
    await client.endAsync();
  });
});
