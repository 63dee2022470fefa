import { once } from 'node:events';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEtcd } from '../harness/etcd.js';
import { logLines, spawnNode, startNode, type NodeOptions } from '../harness/node-process.js';
import { freePort } from '../harness/ports.js';
import { cleanupAfterAll } from './steps/cleanup.js';
import { commandLine, processesWith } from './steps/processes.js';
import { Rest } from './steps/rest.js';
import { until } from '../harness/until.js';

const cleanup = cleanupAfterAll();

/** Starts a node that must end by itself, and returns how it did. */
async function failedStart(options: NodeOptions): Promise<{ code: number | null; output: string }> {
  const node = await spawnNode(options);
  cleanup(() => node.stop());
  const { code } = await node.exited;
  // Whatever it had started before it failed is gone with it.
  expect(processesWith(node.dataDir).map(commandLine)).toEqual([]);
  return { code, output: node.logs() };
}

describe('a configuration that cannot be used', () => {
  it.each<[string, Record<string, string>, RegExp[]]>([
    ['a port that is none', { UMBRA_HTTP_PORT: 'eighty' }, [/UMBRA_HTTP_PORT/, /"eighty"/, /UMBRA_HTTP_PORT=\d+/]],
    ['an unknown variable', { UMBRA_HTPP_PORT: '1' }, [/UMBRA_HTPP_PORT/, /did you mean UMBRA_HTTP_PORT/]],
    [
      'an open address',
      { UMBRA_MQTT_HOST: '0.0.0.0', UMBRA_AUTH: 'off' },
      [/UMBRA_MQTT_HOST/, /loopback/, /UMBRA_INSECURE=true/],
    ],
    ['TLS without a certificate', { UMBRA_MQTTS_PORT: '0' }, [/UMBRA_TLS_CERT/, /UMBRA_TLS_CERT=\//]],
    [
      'an endpoint that is no URL',
      { UMBRA_ETCD_ENDPOINTS: 'etcd-0' },
      [/UMBRA_ETCD_ENDPOINTS/, /http:\/\/host:port/, /UMBRA_ETCD_ENDPOINTS=http/],
    ],
  ])('%s: names the variable, the problem and an example', async (_what, env, patterns) => {
    const { code, output } = await failedStart({ env });
    expect(code).toBeGreaterThan(0);
    for (const pattern of patterns) expect(output).toMatch(pattern);
    expect(output).not.toMatch(/^\s+at /m);
  });

  it('tells of every bad variable at once, and of no password', async () => {
    const env = { UMBRA_MQTT_PORT: '-1', UMBRA_LOG_LEVEL: 'loud', UMBRA_ETCD_PASSWORD: 'hunter2-secret\nline' };
    const { code, output } = await failedStart({ env });
    expect(code).toBeGreaterThan(0);
    for (const name of Object.keys(env)) expect(output).toContain(name);
    expect(output).not.toContain('hunter2');
  });
});

it.each(['UMBRA_HTTP_PORT', 'UMBRA_MQTT_PORT'])(
  'a taken port (%s) is named, and the etcd is gone again',
  async (variable) => {
    const port = await freePort();
    const squatter = createServer().listen(port, '127.0.0.1');
    await once(squatter, 'listening');
    cleanup(() => void squatter.close());
    const { code, output } = await failedStart({ env: { [variable]: String(port) } });
    expect(code).toBeGreaterThan(0);
    expect(output).toContain(String(port));
    expect(output).toContain(variable);
  },
);

it('etcd missing from PATH: says what to install', async () => {
  const bin = await mkdtemp(join(tmpdir(), 'umbra-path-'));
  cleanup(() => rm(bin, { recursive: true, force: true }));
  await symlink('/bin/sh', join(bin, 'sh'));
  const { code, output } = await failedStart({ env: { PATH: bin } });
  expect(code).toBeGreaterThan(0);
  expect(output).toMatch(/apt-get install etcd-server/);
  expect(output).toMatch(/UMBRA_ETCD_ENDPOINTS/);
});

it('etcd out of reach: the node starts, is not ready and says why, and becomes ready when etcd comes', async () => {
  const etcdPort = await freePort();
  const env = { UMBRA_ETCD_ENDPOINTS: `http://127.0.0.1:${etcdPort}`, UMBRA_REQUEST_TIMEOUT_MS: '1000' };
  const node = await startNode({ env, until: 'listening' });
  cleanup(() => node.stop());
  const rest = new Rest(node.httpUrl);
  expect((await rest.live()).status).toBe(200);
  const notReady = await rest.ready();
  expect(notReady.status).toBe(503);
  expect(notReady.text).toMatch(/etcd/i);
  expect(await rest.update('early', { state: {} })).toMatchObject({ status: 503 });

  const etcd = await startEtcd({ port: etcdPort });
  cleanup(() => etcd.stop());
  await until('ready', async () => (await rest.ready()).status === 200);
  expect((await rest.get('early')).status).toBe(404);
  expect((await rest.update('early', { state: {} })).json).toMatchObject({ version: 1 });
});

it('says once where it listens, with the ports that it really has', async () => {
  const node = await startNode();
  cleanup(() => node.stop());
  const ready = logLines(node.logs()).filter(({ msg }) => msg === 'ready');
  expect(ready).toHaveLength(1);
  expect(node.httpUrl).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d+$/);
  expect(node.mqttUrl).toMatch(/^mqtt:\/\/127\.0\.0\.1:[1-9]\d+$/);
  expect([node.httpsUrl, node.mqttsUrl]).toEqual([null, null]);
});
