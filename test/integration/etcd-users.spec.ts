import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { noop } from 'cockatiel';
import { Etcd3 } from 'etcd3';
import { loadConfig } from '../../src/config/load-config.js';
import { SYSTEM_CLOCK } from '../../src/resilience/clock.js';
import { openEtcdStorage } from '../../src/store/etcd/open-etcd.js';
import type { Storage } from '../../src/store/storage.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { createAuthority, type Authority } from '../harness/certificates.js';
import { increment, shadow, within } from '../harness/changes.js';
import { etcdConfig } from '../harness/etcd-store.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { freePort } from '../harness/ports.js';
import { until } from '../harness/until.js';
import { readTo } from '../suites/feed-fixture.js';

const never = new AbortController().signal;
const STREAMS = 120;
/** Seconds. */
const TTL = 3;

/** Connections of clients to a port of the loopback, as the kernel counts them on the side of the server. */
function connectionsTo(port: number): number {
  const local = port.toString(16).toUpperCase().padStart(4, '0');
  const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1);
  return lines.filter((line) => {
    const [, from = '', , state] = line.trim().split(/\s+/);
    return from.endsWith(`:${local}`) && state === '01';
  }).length;
}

/** An etcd with users: plain on `port` of the server, and with TLS on a port of its own. */
interface UserServer {
  readonly server: EtcdServer;
  readonly tlsPort: number;
  readonly admin: Etcd3;
  stop(): Promise<void>;
}

async function startWithUsers(authority: Authority, args: readonly string[]): Promise<UserServer> {
  const [port, tlsPort] = [await freePort(), await freePort()];
  const urls = `http://127.0.0.1:${port},https://127.0.0.1:${tlsPort}`;
  const tls = ['--cert-file', authority.server.cert, '--key-file', authority.server.key];
  const server = await startEtcd({
    port,
    args: ['--listen-client-urls', urls, '--advertise-client-urls', urls, ...tls, '--bcrypt-cost', '4', ...args],
  });
  const { client } = server;
  await client.role('root').create();
  await client.auth.userAdd({ name: 'root', password: 'secret' });
  await client.auth.userGrantRole({ user: 'root', role: 'root' });
  await client.auth.authEnable();
  const admin = new Etcd3({
    hosts: server.endpoint,
    auth: { username: 'root', password: 'secret' },
    faultHandling: { global: noop, host: () => noop },
    defaultCallOptions: (context) => (context.isStream ? {} : { deadline: Date.now() + 5_000 }),
  });
  return {
    server,
    tlsPort,
    admin,
    async stop() {
      admin.close();
      await server.stop();
    },
  };
}

describe('an etcd with users', () => {
  let authority: Authority;
  let keys: string;
  const servers: UserServer[] = [];
  const storages: Storage[] = [];

  beforeAll(async () => {
    authority = await createAuthority();
    keys = await mkdtemp(join(tmpdir(), 'umbra-jwt-'));
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    await writeFile(join(keys, 'public.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
    await writeFile(join(keys, 'private.pem'), privateKey.export({ type: 'pkcs1', format: 'pem' }));
  });
  afterAll(async () => {
    for (const storage of storages) await storage.close();
    for (const server of servers) await server.stop();
    await authority.remove();
    await rm(keys, { recursive: true, force: true });
  });

  const jwt = (ttl: string): string[] => {
    const [pub, priv] = [join(keys, 'public.pem'), join(keys, 'private.pem')];
    return ['--auth-token', `jwt,pub-key=${pub},priv-key=${priv},sign-method=RS256,ttl=${ttl}`];
  };
  const start = async (args: readonly string[]): Promise<UserServer> => {
    const server = await startWithUsers(authority, args);
    servers.push(server);
    return server;
  };
  const open = async ({ tlsPort }: UserServer): Promise<Storage> => {
    const etcd = etcdConfig([`https://127.0.0.1:${tlsPort}`], {
      tls: { ca: authority.ca, cert: null, key: null },
      user: 'root',
      password: 'secret',
    });
    const storage = openEtcdStorage({
      config: { ...loadConfig({}), etcd },
      logger: SILENT_LOGGER,
      clock: SYSTEM_CLOCK,
    });
    storages.push(storage);
    await storage.store.update(shadow('a'), increment, within());
    return storage;
  };
  /** Every way of a node to etcd, each within its usual limit: writes, reads, lists, the feed, its base, and leases. */
  const useAll = async (storage: Storage): Promise<void> => {
    const { store, feed, clusterKeys } = storage;
    expect(await store.get(shadow('a'), within())).not.toBeNull();
    const start = await feed.head(never);
    const { position } = await store.update(shadow('a'), increment, within());
    await readTo(feed, start, position.revision);
    expect((await store.listThings('acme', 10, undefined, within())).things).toHaveLength(1);
    const { records } = await feed.base({ tenant: 'acme' }, never);
    let count = 0;
    for await (const record of records) count += record.state.version > 0 ? 1 : 0;
    expect(count).toBe(1);
    const lease = await clusterKeys!.grant(30);
    expect(await clusterKeys!.keepAlive(lease)).toBe(true);
    await clusterKeys!.revoke(lease);
  };

  it(`keeps its number of connections while ${STREAMS} streams resume and close, with TLS`, async () => {
    const server = await start([]);
    const { store, feed } = await open(server);
    const from = await feed.head(never);
    const { position } = await store.update(shadow('a'), increment, within());
    await readTo(feed, from, position.revision);
    const before = connectionsTo(server.tlsPort);
    for (let i = 0; i < STREAMS; i += 4) {
      await Promise.all([1, 2, 3, 4].map(() => readTo(feed, from, position.revision)));
    }
    process.stdout.write(`connections to etcd: ${before} -> ${connectionsTo(server.tlsPort)}\n`);
    await until('the connections of the streams close', () => connectionsTo(server.tlsPort) <= before, 5_000);
  });

  it.each([
    ['JWT', () => jwt('10m')],
    ['simple', () => []],
  ])('serves every path after another user was added, with %s tokens', async (_, args) => {
    const server = await start(args());
    const storage = await open(server);
    await useAll(storage);
    await server.admin.auth.userAdd({ name: 'somebody', password: 'x' });
    const refusedAt = performance.now();
    await useAll(storage);
    process.stdout.write(`all paths after ${Math.round(performance.now() - refusedAt)} ms\n`);
    await until('ready', () => storage.health().ok, 5_000);
  });

  it.each([
    ['JWT', () => jwt(`${TTL}s`)],
    ['simple', () => ['--auth-token-ttl', String(TTL)]],
  ])('serves every path after the expiry of its %s token', async (_, args) => {
    const server = await start(args());
    const storage = await open(server);
    await useAll(storage);
    // The server's own time; nothing shows that a token has expired but its refusal.
    await pause((TTL + 1) * 1_000);
    await useAll(storage);
    await until('ready', () => storage.health().ok, 5_000);
  });
});
