import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { noop } from 'cockatiel';
import { Etcd3, type ITxnRequest } from 'etcd3';
import { connectAsync } from 'mqtt';
import { createAuthority, type Authority, type KeyPair } from '../harness/certificates.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { startNode, type ReadyNode } from '../harness/node-process.js';
import { freePort } from '../harness/ports.js';

const run = promisify(execFile);
const PASSWORDS = { ROOT_PASSWORD: 'of-root', UMBRA_ETCD_PASSWORD: 'of-umbra' };
const OURS = '/umbra/v1/';
const FOREIGN = '/other/secret';

/** The commands of docs/install.md, as they stand. */
function commands(): string {
  const page = readFileSync('docs/install.md', 'utf8');
  const [, block] = /```sh\n(etcdctl user add[\s\S]*?)```/.exec(page) ?? [];
  if (block === undefined) throw new Error('docs/install.md has no commands for the users of etcd');
  return block;
}

const key = (text: string): Buffer => Buffer.from(text);
const put = (at: string) => ({ request_put: { key: key(at), value: key('x') } });
const nested = (txn: ITxnRequest): ITxnRequest => ({ success: [{ request_txn: txn }] });

/** The first releases in which permissions hold for nested transactions (docs/etcd.md, section 8). */
function holdsNested(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  const since: Record<number, number> = { 4: 42, 5: 28, 6: 9 };
  return major > 3 || minor > 6 || patch >= (since[minor] ?? Infinity);
}

describe('an etcd that the nodes alone can use', () => {
  let authority: Authority;
  let etcd: EtcdServer;
  let folder: string;
  let endpoint: string;
  let nodeCertificate: KeyPair;
  let node: ReadyNode;
  const clients: Etcd3[] = [];

  const etcdctl = (more: Record<string, string>): NodeJS.ProcessEnv => ({
    ...process.env,
    ETCDCTL_API: '3',
    ETCDCTL_ENDPOINTS: endpoint,
    ETCDCTL_CACERT: authority.ca,
    ...more,
  });

  async function connect(auth: { username: string; password: string } | null, pair = nodeCertificate): Promise<Etcd3> {
    const [rootCertificate, certChain, privateKey] = await Promise.all([
      readFile(authority.ca),
      readFile(pair.cert),
      readFile(pair.key),
    ]);
    const client = new Etcd3({
      hosts: endpoint,
      credentials: { rootCertificate, certChain, privateKey },
      ...(auth && { auth }),
      faultHandling: { global: noop, host: () => noop },
      defaultCallOptions: () => ({ deadline: Date.now() + 5_000 }),
    });
    clients.push(client);
    return client;
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'umbra-secured-etcd-'));
    authority = await createAuthority();
    const operator = await authority.client('operator');
    nodeCertificate = await authority.client('node-1');
    const [port, tlsPort] = [await freePort(), await freePort()];
    endpoint = `https://127.0.0.1:${tlsPort}`;
    // The plain port is for the harness to see that the server is there; nothing below uses it.
    const urls = `http://127.0.0.1:${port},${endpoint}`;
    const tls = ['--cert-file', authority.server.cert, '--key-file', authority.server.key];
    const mutual = ['--client-cert-auth', '--trusted-ca-file', authority.ca];
    const listen = ['--listen-client-urls', urls, '--advertise-client-urls', urls];
    etcd = await startEtcd({ port, args: [...listen, ...tls, ...mutual, '--bcrypt-cost', '4'] });
    await etcd.client.put(FOREIGN).value('of somebody else');
    const env = etcdctl({ ...PASSWORDS, ETCDCTL_CERT: operator.cert, ETCDCTL_KEY: operator.key });
    await run('bash', ['-euc', commands()], { env });
    const masterKey = join(folder, 'master.key');
    await writeFile(masterKey, randomBytes(32).toString('hex'), { mode: 0o400 });
    node = await startNode({
      env: {
        UMBRA_AUTH: 'on',
        UMBRA_MASTER_KEY: masterKey,
        UMBRA_ETCD_ENDPOINTS: endpoint,
        UMBRA_ETCD_CA: authority.ca,
        UMBRA_ETCD_CERT: nodeCertificate.cert,
        UMBRA_ETCD_KEY: nodeCertificate.key,
        UMBRA_ETCD_USER: 'umbra',
        UMBRA_ETCD_PASSWORD: PASSWORDS.UMBRA_ETCD_PASSWORD,
      },
    });
  });
  afterAll(async () => {
    for (const client of clients) client.close();
    await node?.stop();
    await etcd?.stop();
    await authority?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  it('takes nobody without a certificate of its authority, and nobody without a password', async () => {
    const env = etcdctl({});
    const user = ['--user', `umbra:${PASSWORDS.UMBRA_ETCD_PASSWORD}`];
    await expect(run('etcdctl', ['--command-timeout=2s', 'get', OURS, ...user], { env })).rejects.toThrow();
    const get = async (client: Promise<Etcd3>, at: string) => (await client).kv.range({ key: key(at) });
    await expect(get(connect({ username: 'umbra', password: 'wrong' }), OURS)).rejects.toThrow(/authentication failed/);
    // The CN of a certificate is taken for the user: that of the node is none.
    await expect(get(connect(null), OURS)).rejects.toThrow(/permission denied/);
    const named = connect(null, await authority.client('umbra'));
    await expect(get(named, OURS)).resolves.toMatchObject({ count: '0' });
    await expect(get(named, FOREIGN)).rejects.toThrow(/permission denied/);
  });

  it('serves the secure path of README', async () => {
    const admin = /Its key is in (\S+):/.exec(node.logs())?.[1] ?? '';
    const headers = { authorization: `Bearer ${(await readFile(admin, 'utf8')).trim()}` };
    const ask = async (method: string, path: string, body: object) => {
      const answer = await fetch(`${node.httpUrl}/v1${path}`, { method, headers, body: JSON.stringify(body) });
      expect(answer.status).toBe(201);
      return (await answer.json()) as { key: string };
    };
    await ask('PUT', '/principals/lamp', { thing: 'lamp', roles: ['device'] });
    const { key: password } = await ask('POST', '/principals/lamp/keys', {});
    const options = { clientId: 'lamp', username: 'lamp', password, protocolVersion: 5, reconnectPeriod: 0 } as const;
    const lamp = await connectAsync(node.mqttUrl, options);
    const update = (thing: string) =>
      lamp.publishAsync(`$aws/things/${thing}/shadow/update`, '{"state":{"reported":{"power":"on"}}}', { qos: 1 });
    await update('lamp');
    await expect(update('door')).rejects.toMatchObject({ code: 0x87 });
    await lamp.endAsync();
    const read = (shown: object) => fetch(`${node.httpUrl}/v1/things/lamp/shadow`, { headers: { ...shown } });
    expect((await read({ authorization: `Bearer ${password}` })).status).toBe(200);
    expect((await read({})).status).toBe(401);
    expect((await fetch(`${node.httpUrl}/health/ready`)).status).toBe(200);
  });

  it('gives the user of the nodes nothing outside of their prefix', async () => {
    const user = await connect({ username: 'umbra', password: PASSWORDS.UMBRA_ETCD_PASSWORD });
    const { kv } = user;
    expect(Number((await kv.range({ key: key(OURS), range_end: key('/umbra/v10') })).count)).toBeGreaterThan(0);
    const all = key('\0');
    // Rows: what is tried, and how.
    const attempts: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['read', () => kv.range({ key: key(FOREIGN) })],
      ['read everything', () => kv.range({ key: all, range_end: all })],
      ['read from a little before', () => kv.range({ key: key('/umbra/v0'), range_end: key('/umbra/v10') })],
      ['count', () => kv.range({ key: all, range_end: all, count_only: true })],
      ['write', () => kv.put({ key: key(FOREIGN), value: key('x') })],
      ['write just behind', () => kv.put({ key: key('/umbra/v10'), value: key('x') })],
      ['delete', () => kv.deleteRange({ key: key(FOREIGN) })],
      ['delete everything', () => kv.deleteRange({ key: all, range_end: all })],
      ['write in a transaction', () => kv.txn({ success: [put(FOREIGN)] })],
      ['read in a transaction', () => kv.txn({ success: [{ request_range: { key: key(FOREIGN) } }] })],
      ['add a user', () => user.auth.userAdd({ name: 'mine', password: 'x' })],
      ['take a role', () => user.auth.userGrantRole({ user: 'umbra', role: 'root' })],
      ['switch users off', () => user.auth.authDisable()],
      ['defragment', () => user.maintenance.defragment()],
    ];
    for (const [what, attempt] of attempts) {
      const refusal = await attempt().then(
        () => `${what}: done`,
        (error: unknown) => `${what}: ${/permission denied/.test(String(error)) ? 'refused' : String(error)}`,
      );
      expect(refusal).toBe(`${what}: refused`);
    }
  });

  it('keeps nested transactions in only where the server has that', async () => {
    const user = await connect({ username: 'umbra', password: PASSWORDS.UMBRA_ETCD_PASSWORD });
    const { version } = await user.maintenance.status();
    const written = user.kv.txn(nested({ success: [put('/other/nested')] }));
    const read = user.kv.txn(nested({ success: [{ request_range: { key: key(FOREIGN) } }] }));
    const outcomes = (await Promise.allSettled([written, read])).map(({ status }) => status);
    process.stdout.write(`etcd ${version}: nested transactions outside of the prefix were ${outcomes.join(' and ')}\n`);
    const expected = holdsNested(version) ? 'rejected' : 'fulfilled';
    expect(outcomes).toEqual([expected, expected]);
  });
});
