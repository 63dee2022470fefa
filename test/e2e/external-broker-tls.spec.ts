import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority, type Authority } from '../harness/certificates.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { startMosquitto, type MosquittoBroker } from '../harness/mosquitto.js';
import { startNode, type ReadyNode } from '../harness/node-process.js';
import { readFileSync } from 'node:fs';
import { cleanupAfterAll } from './steps/cleanup.js';
import { Device, topic } from './steps/device.js';
import { Rest } from './steps/rest.js';
import { until } from '../harness/until.js';

const cleanup = cleanupAfterAll();
const PASSWORD = 'a-secret-of-this-test';
let etcd: EtcdServer;
let broker: MosquittoBroker;
let authority: Authority;
let url: string;
let right: Record<string, string>;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'umbra-passwords-'));
  cleanup(() => rm(folder, { recursive: true, force: true }));
  const passwords = join(folder, 'passwords');
  execFileSync('mosquitto_passwd', ['-b', '-c', passwords, 'umbra', PASSWORD], { stdio: 'ignore' });
  authority = await createAuthority();
  cleanup(() => authority.remove());
  etcd = await startEtcd();
  cleanup(() => etcd.stop());
  broker = await startMosquitto({
    settings: {
      allow_anonymous: 'false',
      password_file: passwords,
      cafile: authority.ca,
      certfile: authority.server.cert,
      keyfile: authority.server.key,
      require_certificate: 'true',
    },
  });
  cleanup(() => broker.stop());
  url = broker.url.replace('mqtt://', 'mqtts://');
  const client = await authority.client('umbra');
  right = {
    UMBRA_ETCD_ENDPOINTS: etcd.endpoint,
    UMBRA_BROKER_URL: url,
    UMBRA_BROKER_CA: authority.ca,
    UMBRA_BROKER_CERT: client.cert,
    UMBRA_BROKER_KEY: client.key,
    UMBRA_BROKER_USER: 'umbra',
    UMBRA_BROKER_PASSWORD: PASSWORD,
  };
});

async function node(env: Record<string, string | undefined>, until: 'ready' | 'listening'): Promise<ReadyNode> {
  const started = await startNode({ env, until });
  cleanup(() => started.stop());
  return started;
}

const reasonOf = async ({ httpUrl }: ReadyNode): Promise<string> => {
  const { broker: part } = (await new Rest(httpUrl).ready()).json.parts as { broker: { ok: boolean; reason: string } };
  return part.ok ? '' : part.reason;
};

it('serves devices over mqtts with a password and a client certificate, and logs no secret', async () => {
  const only = await node(right, 'ready');
  const { ca, cert, key } = {
    ca: readFileSync(authority.ca),
    cert: readFileSync(right['UMBRA_BROKER_CERT'] ?? ''),
    key: readFileSync(right['UMBRA_BROKER_KEY'] ?? ''),
  };
  const device = await Device.connect(url, { ca, cert, key, username: 'umbra', password: PASSWORD });
  cleanup(() => device.close());
  await device.subscribe(topic('tls', '#'));
  const answer = await device.request('tls', 'update', { state: { reported: { a: 1 } } });
  expect(answer).toMatchObject({ topic: topic('tls', 'update/accepted'), json: { version: 1 } });
  await only.stop();
  expect(only.logs()).not.toContain(PASSWORD);
});

it.each([
  ['a wrong password', { UMBRA_BROKER_PASSWORD: 'wrong-secret' }, /not authorized|bad user ?name or password/i],
  ['no client certificate', { UMBRA_BROKER_CERT: undefined, UMBRA_BROKER_KEY: undefined }, /certificate|alert/i],
  [
    'an authority of nobody',
    { UMBRA_BROKER_CA: undefined, UMBRA_BROKER_CERT: undefined, UMBRA_BROKER_KEY: undefined },
    /certificate/i,
  ],
])('%s: the node starts, serves its other doors, and says what is wrong', async (_, wrong, expected) => {
  const misled = await node({ ...right, ...wrong }, 'listening');
  const reason = await until(
    () => 'the reason',
    async () => {
      const now = await reasonOf(misled);
      return expected.test(now) && now;
    },
  );
  expect(reason).toContain(url);
  expect((await new Rest(misled.httpUrl).update('here', { state: { reported: { a: 1 } } })).status).toBe(200);
  expect(await misled.stop()).toEqual({ code: 0, signal: null });
  expect(misled.logs()).not.toMatch(/secret/);
});
