import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:tls';
import * as x509 from '../../../../test/harness/x509.js';
import { createAuthority, type Authority, type KeyPair } from '../../../../test/harness/certificates.js';
import { etcdConfig } from '../../../../test/harness/etcd-store.js';
import { until } from '../../../../test/harness/until.js';
import { SYSTEM_CLOCK } from '../../../resilience/clock.js';
import { SILENT_LOGGER } from '../../../telemetry/logger.js';
import { EtcdMembers } from './members.js';

let authority: Authority;
let server: Server;
let pairs: KeyPair[];
/** Names in the certificates of those that have connected. */
const names: (string | undefined)[] = [];
let members: EtcdMembers;
let tried: string[];
let files: { ca: string; cert: string; key: string };

/** As an orchestrator puts files in the place of others. */
function put({ cert, key }: KeyPair): void {
  copyFileSync(cert, files.cert);
  copyFileSync(key, files.key);
}

beforeAll(async () => {
  authority = await createAuthority();
  pairs = [await authority.client('node-1'), await authority.client('node-2')];
  files = { ca: authority.ca, cert: `${authority.ca}.node.crt`, key: `${authority.ca}.node.key` };
  put(pairs[0]!);
  const [ca, cert, key] = [authority.ca, authority.server.cert, authority.server.key].map((path) => readFileSync(path));
  // A member of etcd that ends every connection once it knows who is there.
  server = createServer({ ca: ca!, cert: cert!, key: key!, requestCert: true, ALPNProtocols: ['h2'] }, (socket) => {
    names.push(socket.getPeerCertificate().subject?.CN as string | undefined);
    socket.on('error', () => undefined).destroy();
  });
  server.on('tlsClientError', () => undefined).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  tried = [];
  members = new EtcdMembers({ ...etcdConfig([endpoint]), tls: files }, SYSTEM_CLOCK, SILENT_LOGGER);
  members.followCertificates((result) => void tried.push(result));
});
afterAll(async () => {
  members.close();
  server.close();
  await authority.remove();
});

/** Names that new connections of a client, and of a channel, show. */
async function shown(): Promise<unknown[]> {
  const seen: unknown[] = [];
  const [member] = members.members;
  const range = { key: Buffer.from('x') };
  const calls = [
    () => members.call(member!, (client, call) => client.kv.range(range, call), 500),
    () => members.send(member!, '/etcdserverpb.KV/Range', Buffer.alloc(5), 500),
  ];
  for (const call of calls) {
    const before = names.length;
    await call().catch(() => undefined);
    await until('a connection', () => names.length > before);
    seen.push(names.at(-1));
  }
  return seen;
}

it('shows new certificates when their files have changed, and the old ones when the new ones cannot be used', async () => {
  expect(await shown()).toEqual(['node-1', 'node-1']);
  put(pairs[1]!);
  process.emit('SIGHUP');
  await until('the new files are read', () => tried.length === 1);
  expect(await shown()).toEqual(['node-2', 'node-2']);
  copyFileSync(pairs[0]!.key, files.key);
  process.emit('SIGHUP');
  await until('the bad files are read', () => tried.length === 2);
  writeFileSync(files.cert, 'no certificate');
  process.emit('SIGHUP');
  await until('worse ones are read', () => tried.length === 3);
  expect([tried, await shown()]).toEqual([
    ['ok', 'failed', 'failed'],
    ['node-2', 'node-2'],
  ]);
});

it('takes new ones beside an authority that has expired, while another one of its file holds', async () => {
  const ca = readFileSync(files.ca, 'utf8');
  const expired = x509.issueAuthority({ notBefore: Date.now() - 2_000, notAfter: Date.now() - 1_000 }).pem;
  const before = tried.length;
  put(pairs[0]!);
  for (const [count, authorities] of [expired + ca, expired, 'no certificate', ca].entries()) {
    writeFileSync(files.ca, authorities);
    process.emit('SIGHUP');
    await until('they are read', () => tried.length === before + count + 1);
  }
  expect(tried.slice(before)).toEqual(['ok', 'failed', 'failed', 'ok']);
});
