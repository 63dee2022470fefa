import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type Server, type TLSSocket } from 'node:tls';
import { until } from '../../test/harness/until.js';
import * as x509 from '../../test/harness/x509.js';
import { createLogger } from '../telemetry/logger.js';
import { NodeCertificate } from './node-certificate.js';

const PERIOD_MS = 20;
const ca = x509.issueAuthority();
const issue = (parts: x509.CertificateParts = {}): x509.Issued =>
  x509.issue(ca, { subject: x509.nameOf(x509.cn('localhost')), ...parts });

describe('the certificate of the node', () => {
  let folder: string;
  let files: { cert: string; key: string; ca: null };
  let server: Server;
  let lines: { level: number; msg: string; reason?: string }[];

  /** Both at once, so that no look finds only one of them changed. */
  function write({ pem, key }: { pem: string; key: string }): void {
    writeFileSync(files.cert, pem);
    writeFileSync(files.key, key);
  }

  /** The fingerprint that a new client sees, and its open connection. */
  async function handshake(session?: Buffer): Promise<{ socket: TLSSocket; shownAs: string }> {
    const { port } = server.address() as AddressInfo;
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...(session && { session }) });
    await once(socket, 'secureConnect');
    return { socket, shownAs: socket.getPeerX509Certificate()?.fingerprint256 ?? 'none' };
  }
  async function shown(): Promise<string> {
    const { socket, shownAs } = await handshake();
    socket.destroy();
    return shownAs;
  }
  const fingerprint = (issued: x509.Issued): string => new X509Certificate(issued.der).fingerprint256;
  const errors = (): (string | undefined)[] => lines.filter(({ level }) => level === 50).map(({ reason }) => reason);

  let certificate: NodeCertificate;
  let tried: string[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'umbra-node-certificate-'));
    files = { cert: join(folder, 'node.crt'), key: join(folder, 'node.key'), ca: null };
    lines = [];
    const logger = createLogger(
      { logLevel: 'info', nodeId: 'n' },
      { write: (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[number]) },
    );
    const first = issue();
    write(first);
    tried = [];
    const parts = { periodMs: PERIOD_MS, tried: (result: string) => void tried.push(result) };
    certificate = new NodeCertificate(files, { minVersion: 'TLSv1.2' }, logger, parts);
    server = createServer(certificate.read(), (socket) => socket.on('error', () => undefined).resume());
    certificate.follow(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    expect(await shown()).toBe(fingerprint(first));
  });
  afterEach(async () => {
    server.close();
    await rm(folder, { recursive: true, force: true });
  });

  it.each([
    ['no certificate', () => 'not a certificate', 'no certificate of an authority'],
    ['an expired one', () => x509.issueAuthority({ notAfter: Date.now() - 1_000 }).pem, 'have expired'],
  ])('stays while the authorities of clients are %s, and is replaced beside one that holds', async (_, pem, reason) => {
    const authorities = join(folder, 'ca.crt');
    writeFileSync(authorities, ca.pem);
    const logger = createLogger(
      { logLevel: 'info', nodeId: 'n' },
      { write: (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[number]) },
    );
    const parts = { periodMs: PERIOD_MS, tried: (result: string) => void tried.push(result) };
    const options = { minVersion: 'TLSv1.2' } as const;
    const withAuthorities = new NodeCertificate({ ...files, ca: authorities }, options, logger, parts);
    const other = createServer(withAuthorities.read());
    withAuthorities.follow(other);
    try {
      writeFileSync(authorities, pem());
      await until('its refusal', () => tried.length > 0);
      expect([tried, errors()]).toEqual([['failed'], [expect.stringContaining(reason)]]);
      writeFileSync(authorities, pem() + ca.pem);
      await until('its use', () => tried.length > 1);
      expect(tried).toEqual(['failed', 'ok']);
    } finally {
      other.listen(0, '127.0.0.1').close();
    }
  });

  it('is replaced without a restart, and open connections stay', async () => {
    const { socket } = await handshake();
    const notAfter = Date.now() + 10 * 86_400_000;
    const next = issue({ keys: x509.rsaKeys(2048), notAfter });
    expect(certificate.notAfter).toBeGreaterThan(Date.now() / 1000);
    write(next);
    await until('the new certificate', async () => (await shown()) === fingerprint(next));
    expect(certificate.notAfter).toBeCloseTo(notAfter / 1000, -1);
    expect(socket.destroyed).toBe(false);
    expect(socket.write('still open')).toBe(true);
    socket.destroy();
    expect(errors()).toEqual([]);
    expect(lines.map(({ level }) => level)).toEqual([30]);
    expect(tried).toEqual(['ok']);
  });

  it('is replaced when Kubernetes lets its link lead to another folder', async () => {
    const put = (name: string, { pem, key }: x509.Issued): void => {
      const place = join(folder, name);
      mkdirSync(place);
      writeFileSync(join(place, 'tls.crt'), pem);
      writeFileSync(join(place, 'tls.key'), key);
      symlinkSync(name, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    const [first, next] = [issue(), issue()];
    put('..2026_1', first);
    for (const name of ['tls.crt', 'tls.key']) symlinkSync(join('..data', name), join(folder, name));
    const mounted = { cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
    const own = new NodeCertificate(mounted, {}, createLogger({ logLevel: 'silent', nodeId: 'n' }), {
      periodMs: PERIOD_MS,
    });
    server.close();
    server = createServer(own.read(), (socket) => socket.on('error', () => undefined).resume());
    own.follow(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    expect(await shown()).toBe(fingerprint(first));
    put('..2026_2', next);
    await until('the new certificate', async () => (await shown()) === fingerprint(next));
  });

  it('is looked at on SIGHUP, however long the pause between two looks is', async () => {
    server.close();
    const parts = { periodMs: 3_600_000, tried: (result: string) => void tried.push(result) };
    const logger = createLogger(
      { logLevel: 'info', nodeId: 'n' },
      { write: (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[number]) },
    );
    const own = new NodeCertificate(files, {}, logger, parts);
    server = createServer(own.read(), (socket) => socket.on('error', () => undefined).resume());
    own.follow(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    process.emit('SIGHUP');
    await until('it is said', () => lines.some(({ msg }) => msg.endsWith('as it was')));
    const next = issue();
    write(next);
    process.emit('SIGHUP');
    await until('the new certificate', async () => (await shown()) === fingerprint(next));
    writeFileSync(files.key, issue().key);
    process.emit('SIGHUP');
    await until('an error', () => errors().length > 0);
    expect([await shown(), tried]).toEqual([fingerprint(next), ['ok', 'failed']]);
  });

  it('is replaced when its files are put in place of the old ones', async () => {
    const next = issue();
    writeFileSync(`${files.cert}.new`, next.pem);
    writeFileSync(`${files.key}.new`, next.key);
    renameSync(`${files.cert}.new`, files.cert);
    renameSync(`${files.key}.new`, files.key);
    await until('the new certificate', async () => (await shown()) === fingerprint(next));
  });

  it.each<[string, () => { pem: string; key: string }, RegExp]>([
    ['of another key', () => ({ pem: issue().pem, key: issue().key }), /mismatch/],
    ['of no certificate', () => ({ ...issue(), pem: 'text' }), /./],
    ['of no key', () => ({ ...issue(), key: '' }), /./],
    ['that have expired', () => issue({ notAfter: Date.now() - 60_000 }), /expired/],
    ['that are too large', () => ({ ...issue(), pem: 'x'.repeat(1024 * 1024 + 1) }), /larger than/],
  ])('stays when there are files %s, which is said once, and goes on with good ones', async (_title, bad, reason) => {
    const before = await shown();
    write(bad());
    await until('an error', () => errors().length > 0);
    expect(errors()).toEqual([expect.stringMatching(reason)]);
    expect(JSON.stringify(lines)).not.toContain('PRIVATE');
    expect(await shown()).toBe(before);
    const next = issue();
    write(next);
    await until('the new certificate', async () => (await shown()) === fingerprint(next));
    // Several periods have passed, in each of which it was looked at.
    expect(errors()).toHaveLength(1);
  });

  it('stays when its files go away, and is found again', async () => {
    const before = await shown();
    await rm(files.key);
    await until('an error', () => errors().length > 0);
    expect(await shown()).toBe(before);
    const next = issue();
    write(next);
    await until('the new certificate', async () => (await shown()) === fingerprint(next));
    expect(errors()).toEqual([expect.stringContaining('ENOENT')]);
  });

  it('is not shown to resumed sessions any more, which take the new one', async () => {
    const { socket } = await handshake();
    const [session] = (await once(socket, 'session')) as [Buffer];
    socket.destroy();
    const resumed = await handshake(session);
    expect(resumed.socket.isSessionReused()).toBe(true);
    resumed.socket.destroy();
    const next = issue();
    write(next);
    await until('the new certificate', async () => (await shown()) === fingerprint(next));
    const after = await handshake(session);
    expect(after.socket.isSessionReused()).toBe(false);
    expect(after.shownAs).toBe(fingerprint(next));
    after.socket.destroy();
  });

  it('is not looked at any more after the server has closed', async () => {
    server.close();
    await once(server, 'close');
    await rm(files.key);
    // Longer than two periods: nothing can be awaited that must not come.
    await new Promise((resolve) => setTimeout(resolve, 5 * PERIOD_MS));
    expect(errors()).toEqual([]);
  });

  it('must be readable at the start', () => {
    const missing = { cert: join(folder, 'none'), key: files.key };
    expect(() => new NodeCertificate(missing, {}, createLogger({ logLevel: 'silent', nodeId: 'n' }))).toThrow(/ENOENT/);
  });
});
