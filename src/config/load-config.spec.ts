import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { anyCharacter } from '../../test/harness/any-character.js';
import { createAuthority, type Authority } from '../../test/harness/certificates.js';
import { ConfigError } from './config-error.js';
import { needsCredentials } from './needs-credentials.js';
import { configWarnings, loadConfig } from './load-config.js';
import { VARIABLE_NAMES, VARIABLES } from './variables.js';

function problems(source: Record<string, string>): string {
  try {
    loadConfig(source);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  return '';
}

describe('loadConfig', () => {
  it('has a default for everything', () => {
    expect(loadConfig({})).toMatchObject({
      http: { host: '127.0.0.1', port: 8080, tlsPort: null, names: [] },
      mqtt: { host: '127.0.0.1', port: 1883, tlsPort: null, maxPacketBytes: 262_144, drainTimeoutMs: 10_000 },
      tls: null,
      etcd: { endpoints: [], prefix: '/umbra/v1/', user: null, password: null, quotaBytes: 8_160_437_862 },
      limits: { maxDocumentBytes: 8192, maxDepth: 8, maxClientTokenBytes: 64, maxRequestBytes: 32_768 },
      requestTimeoutMs: 5000,
      insecure: false,
      logLevel: 'info',
    });
    expect(loadConfig({}).nodeId).toMatch(/^[A-Za-z0-9._-]+-[0-9a-f]{8}$/);
    expect(loadConfig({}).nodeId).not.toBe(loadConfig({}).nodeId);
  });

  it('has no external broker unless there is a URL, and checks what belongs to it', () => {
    expect(loadConfig({}).externalBroker).toBeNull();
    const url = 'mqtt://broker:1883';
    expect(loadConfig({ UMBRA_BROKER_URL: url, UMBRA_BROKER_LANES: '4' }).externalBroker).toMatchObject({
      url,
      clientId: 'umbra',
      lanes: 4,
      shared: false,
      documents: true,
    });
    expect(problems({ UMBRA_BROKER_URL: 'http://broker' })).toContain('mqtt://host:port');
    expect(problems({ UMBRA_BROKER_URL: 'mqtt://me:secret@broker' })).not.toContain('secret');
    expect(problems({ UMBRA_BROKER_URL: 'mqtt://broker:70000' })).toContain('above 65535');
    expect(problems({ UMBRA_BROKER_USER: 'me' })).toContain('UMBRA_BROKER_URL is not');
    expect(problems({ UMBRA_BROKER_URL: url, UMBRA_BROKER_PASSWORD: 'x' })).toContain('UMBRA_BROKER_USER');
    expect(problems({ UMBRA_BROKER_URL: url, UMBRA_BROKER_CA: '/none' })).toContain('not an mqtts URL');
  });

  it('asks readers of metrics for a token where others than this machine reach them', () => {
    const [port, host] = [{ UMBRA_METRICS_PORT: '9464' }, { UMBRA_METRICS_HOST: '0.0.0.0' }];
    expect(loadConfig({}).metrics).toEqual({ host: '127.0.0.1', port: null, token: null });
    expect(loadConfig({ ...port, UMBRA_METRICS_HOST: '::1' }).metrics.port).toBe(9464);
    expect(problems(host)).toBe('');
    expect(problems({ ...port, ...host, UMBRA_INSECURE: 'true' })).toBe('');
    const text = problems({ ...port, ...host });
    expect(text).toMatch(/UMBRA_METRICS_TOKEN is missing.*UMBRA_METRICS_HOST=0\.0\.0\.0.*openssl rand -hex 32/);
    expect(problems({ UMBRA_METRICS_PORT: '8080' })).toContain('is 8080, which is UMBRA_HTTP_PORT too');
    expect(problems({ UMBRA_METRICS_PORT: 'yes' })).toContain('must be "off" or a whole number');
  });

  it('counts an empty variable as one that is not set', () => {
    const empty = Object.fromEntries(VARIABLE_NAMES.map((name) => [name, '']));
    const strip = ({ nodeId: _, ...rest }: ReturnType<typeof loadConfig>) => rest;
    expect(strip(loadConfig(empty))).toEqual(strip(loadConfig({})));
  });

  it('reads values', () => {
    const config = loadConfig({
      UMBRA_HTTP_PORT: '0',
      UMBRA_ETCD_ENDPOINTS: 'http://a:2379, http://[::1]:2379',
      UMBRA_ETCD_USER: 'umbra',
      UMBRA_ETCD_PASSWORD: 'a,b c',
      UMBRA_MQTT_DELTA_ON_SUBSCRIBE: 'true',
      UMBRA_LOG_LEVEL: 'silent',
      UMBRA_NODE_ID: 'n-1',
      PATH: '/bin',
    });
    expect(config).toMatchObject({
      nodeId: 'n-1',
      http: { port: 0 },
      mqtt: { deltaOnSubscribe: true },
      logLevel: 'silent',
    });
    expect(config.etcd).toMatchObject({
      endpoints: ['http://a:2379', 'http://[::1]:2379'],
      user: 'umbra',
      password: 'a,b c',
    });
  });

  it('lists every bad variable at once, with the value and an example', () => {
    const text = problems({ UMBRA_HTTP_PORT: '70000', UMBRA_LOG_LEVEL: 'loud', UMBRA_INSECURE: 'yes' });
    expect(text).toContain(
      'UMBRA_HTTP_PORT is "70000": must be a whole number from 0 to 65535, e.g. UMBRA_HTTP_PORT=8080',
    );
    expect(text).toMatch(/UMBRA_LOG_LEVEL is "loud": must be one of fatal.* e\.g\. UMBRA_LOG_LEVEL=info/);
    expect(text).toMatch(/UMBRA_INSECURE is "yes": must be "true" or "false", e\.g\. UMBRA_INSECURE=true/);
  });

  it.each(
    Object.entries({
      UMBRA_HTTP_PORT: ['-1', '1.5', '8080 ', '1e3', '0x50', 'NaN', '99999999999999999999'],
      UMBRA_HTTPS_PORT: ['on', '65536'],
      UMBRA_HTTP_HOST: ['http://127.0.0.1', '127.0.0.1/8', 'a b', '*'],
      UMBRA_INSECURE: ['1', 'TRUE', 'on'],
      UMBRA_ETCD_ENDPOINTS: ['etcd:2379', 'http://etcd', 'ftp://a:1', 'http://a:2379/path', 'http://u:p@a:2379', 'a;b'],
      UMBRA_ETCD_PREFIX: ['umbra/', '/umbra', '/', '//', '/a b/', '/ä/'],
      UMBRA_NODE_ID: ['a b', '../x', 'x'.repeat(129)],
      UMBRA_DATA_DIR: ['a\0b', 'a\nb'],
      UMBRA_MAX_DEPTH: ['0', '800'],
    }).flatMap(([name, values]) => values.map((value) => [name, value] as const)),
  )('rejects %s=%j', (name, value) => {
    expect(problems({ [name]: value })).toContain(name);
  });

  it.each([
    ['UMBRA_HTP_PORT', 'did you mean UMBRA_HTTP_PORT?'],
    ['UMBRA_MQTT_PROT', 'did you mean UMBRA_MQTT_PORT?'],
    ['UMBRA_ETCD_ENDPOINT', 'did you mean UMBRA_ETCD_ENDPOINTS?'],
    ['UMBRA_SOMETHING_ELSE_ALTOGETHER', 'remove it'],
    ['UMBRA___proto__', 'is not a variable'],
  ])('rejects the unknown %s: %s', (name, advice) => {
    expect(problems({ [name]: 'secret-value' })).toContain(advice);
    expect(problems({ [name]: 'secret-value' })).not.toContain('secret-value');
  });

  it('never shows a secret', () => {
    const pem = '-----BEGIN PRIVATE KEY-----';
    const text = problems({
      UMBRA_ETCD_PASSWORD: `hunter2\n`,
      UMBRA_ETCD_ENDPOINTS: 'http://root:hunter2@etcd:2379',
      UMBRA_TLS_KEY: `${pem}\nhunter2`,
    });
    expect(text).toMatch(/UMBRA_ETCD_PASSWORD[^]*UMBRA_TLS_KEY|UMBRA_TLS_KEY[^]*UMBRA_ETCD_PASSWORD/);
    expect(text).not.toContain('hunter2');
    expect(text).not.toContain('BEGIN');
    expect(problems({ UMBRA_TLS_KEY: 'hunter2', UMBRA_TLS_CERT: '/none' })).not.toContain('hunter2');
  });

  it('either gives a configuration or says why not, whatever the environment holds', () => {
    const name = fc.oneof(
      fc.constantFrom(...VARIABLE_NAMES),
      fc.string().map((s) => `UMBRA_${s}`),
    );
    const value = fc.oneof(
      fc.string({ unit: anyCharacter }),
      fc.integer().map(String),
      fc.constantFrom('true', 'off', '/', ','),
    );
    fc.assert(
      fc.property(fc.dictionary(name, value, { maxKeys: 5 }), (source) => {
        try {
          const config = loadConfig(source);
          expect(config.mqtt.maxPacketBytes).toBeGreaterThan(config.limits.maxDocumentBytes);
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
        }
      }),
    );
  });

  it('takes the example of every variable', () => {
    for (const [name, { example }] of Object.entries(VARIABLES))
      expect(`${problems({ [name]: example })}\n`).not.toContain(`${name} is "`);
  });
});

describe('what belongs together', () => {
  it.each([
    ['0.0.0.0', false],
    ['::', false],
    ['192.168.1.5', false],
    ['127.0.0.1.example.com', false],
    ['my-host', false],
    ['::ffff:10.0.0.1', false],
    ['1::1', false],
    ['127.0.0.1', true],
    ['127.8.8.8', true],
    ['::1', true],
    ['0:0:0:0:0:0:0:1', true],
    ['localhost', true],
    ['LOCALHOST', true],
  ])('address %s with UMBRA_AUTH=off, without UMBRA_INSECURE: %s', (host, allowed) => {
    const off = { UMBRA_MQTT_HOST: host, UMBRA_AUTH: 'off' };
    expect(problems(off) === '').toBe(allowed);
    const { auth, insecure, http, mqtt } = loadConfig({ UMBRA_MQTT_HOST: host });
    expect(needsCredentials(auth.mode, insecure, [http.host, mqtt.host])).toBe(!allowed);
    if (allowed) return;
    expect(problems(off)).toMatch(/UMBRA_INSECURE=true/);
    expect(problems({ UMBRA_MQTT_HOST: host })).toBe('');
    expect(configWarnings(loadConfig({ UMBRA_MQTT_HOST: host })).join()).toMatch(/TLS/);
    const open = loadConfig({ UMBRA_MQTT_HOST: host, UMBRA_INSECURE: 'true' });
    expect(configWarnings(open).join()).toContain(`UMBRA_MQTT_HOST=${host}`);
  });

  it('warns of nothing on loopback', () => {
    expect(configWarnings(loadConfig({ UMBRA_INSECURE: 'true' }))).toEqual([]);
  });

  it.each([
    [{ UMBRA_HTTP_PORT: '1883' }, 'UMBRA_MQTT_PORT is 1883, which is UMBRA_HTTP_PORT too'],
    [{ UMBRA_ETCD_USER: 'u', UMBRA_ETCD_ENDPOINTS: 'http://a:1' }, 'UMBRA_ETCD_PASSWORD is missing'],
    [{ UMBRA_ETCD_PASSWORD: 'p', UMBRA_ETCD_ENDPOINTS: 'http://a:1' }, 'UMBRA_ETCD_USER is missing'],
    [{ UMBRA_ETCD_USER: 'u', UMBRA_ETCD_PASSWORD: 'p' }, 'UMBRA_ETCD_ENDPOINTS is not'],
    [{ UMBRA_ETCD_ENDPOINTS: 'http://a:1,https://b:1' }, 'mixes http and https'],
    [{ UMBRA_ETCD_ENDPOINTS: 'http://a:66000' }, 'port above 65535'],
    [{ UMBRA_HTTP_HOST: '0.0.0.0', UMBRA_ETCD_ENDPOINTS: 'http://a:1' }, 'UMBRA_MASTER_KEY is missing'],
    [{ UMBRA_AUTH: 'on', UMBRA_ETCD_ENDPOINTS: 'http://a:1' }, 'UMBRA_MASTER_KEY is missing'],
    [{ UMBRA_HTTPS_PORT: '8443' }, 'UMBRA_TLS_CERT is missing, and UMBRA_HTTPS_PORT needs it'],
    [{ UMBRA_MQTTS_PORT: '0' }, 'UMBRA_TLS_KEY is missing, and UMBRA_MQTTS_PORT needs it'],
    [{ UMBRA_TLS_CERT: '/none' }, 'UMBRA_TLS_KEY is missing'],
    [{ UMBRA_MQTT_MAX_PACKET_BYTES: '2048' }, 'must be at least 9216'],
    [{ UMBRA_ETCD_CALL_TIMEOUT_MS: '9000' }, 'UMBRA_REQUEST_TIMEOUT_MS'],
    [{ UMBRA_PRESENCE_FENCE: 'true', UMBRA_PRESENCE: 'false' }, 'UMBRA_PRESENCE_FENCE is true, but without presence'],
  ])('%j', (source, expected) => {
    expect(problems(source)).toContain(expected);
  });

  it('covers every member of Config by a variable, and the other way round', () => {
    const source = { UMBRA_NODE_ID: 'n', UMBRA_BROKER_URL: 'mqtt://b' };
    const numbers = JSON.stringify(loadConfig(source)).match(/:(\d+|null|true|false|"|\[)/g) ?? [];
    // Everything in Config comes from one variable each, except that tls is null as a whole without its three files, and
    // that the rule of traces is an object.
    expect(numbers.length + 1).toBe(VARIABLE_NAMES.length);
    expect(new Set(Object.values(VARIABLES).map(({ path }) => path)).size).toBe(VARIABLE_NAMES.length);
  });
});

describe('TLS files', () => {
  let folder: string;
  let authority: Authority;
  const path = (name: string) => join(folder, name);
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'umbra-config-'));
    mkdirSync(path('folder'));
    writeFileSync(path('text'), 'not a certificate');
    authority = await createAuthority();
    copyFileSync(authority.server.cert, path('cert'));
    copyFileSync(authority.server.key, path('key'));
    copyFileSync((await authority.client('other')).key, path('other-key'));
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await authority.remove();
  });

  it('takes a certificate and its key', () => {
    const source = { UMBRA_HTTPS_PORT: '0', UMBRA_TLS_CERT: path('cert'), UMBRA_TLS_KEY: path('key') };
    expect(loadConfig(source).tls).toEqual({ cert: path('cert'), key: path('key'), ca: null });
    expect(loadConfig({ ...source, UMBRA_TLS_CA: path('cert') }).tls?.ca).toBe(path('cert'));
  });

  it.each([
    ['none', 'key', /UMBRA_TLS_CERT names a file that cannot be read \(ENOENT\)/],
    ['cert', 'none', /UMBRA_TLS_KEY names a file that cannot be read \(ENOENT\)/],
    ['folder', 'key', /UMBRA_TLS_CERT names a file that cannot be read \(EISDIR\)/],
    ['text', 'key', /UMBRA_TLS_CERT names a file that holds no PEM/],
    ['cert', 'text', /UMBRA_TLS_KEY names a file that holds no PEM/],
    ['cert', 'other-key', /UMBRA_TLS_KEY names a key that does not belong to UMBRA_TLS_CERT/],
  ])('rejects certificate %s with key %s', (cert, key, expected) => {
    expect(problems({ UMBRA_HTTPS_PORT: '0', UMBRA_TLS_CERT: path(cert), UMBRA_TLS_KEY: path(key) })).toMatch(expected);
  });

  it.each(['text', 'key'])('rejects authorities that are a %s: nobody would be trusted', (ca) => {
    const source = { UMBRA_HTTPS_PORT: '0', UMBRA_TLS_CERT: path('cert'), UMBRA_TLS_KEY: path('key') };
    expect(problems({ ...source, UMBRA_TLS_CA: path(ca) })).toMatch(/UMBRA_TLS_CA names a file that holds no PEM/);
    const etcd = { UMBRA_ETCD_ENDPOINTS: 'https://etcd:2379', UMBRA_ETCD_CA: path(ca) };
    expect(problems(etcd)).toMatch(/UMBRA_ETCD_CA names a file that holds no PEM/);
  });
});
