import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { connectAsync, type MqttClient } from 'mqtt';
import { pino } from 'pino';
import { readMetrics } from '../harness/metrics-page.js';
import { freePort } from '../harness/ports.js';
import { startSecureNode, type SecureNode } from '../harness/secure-node.js';
import { until } from '../harness/until.js';
import * as x509 from '../harness/x509.js';

/** Connections to each of the two doors. */
const CONNECTIONS = 100;

const ca = x509.issueAuthority();
const issue = (): x509.Issued => x509.issue(ca, { subject: x509.nameOf(x509.cn('localhost')) });
const fingerprintOf = ({ der }: x509.Issued): string => new X509Certificate(der).fingerprint256;

async function dial(url: string | null): Promise<TLSSocket> {
  const socket = connect({ port: Number(new URL(url!).port), host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  return socket;
}
async function shownAt(url: string | null): Promise<string> {
  const socket = await dial(url);
  const { fingerprint256 } = socket.getPeerX509Certificate()!;
  socket.destroy();
  return fingerprint256;
}
async function isServed(socket: TLSSocket): Promise<boolean> {
  socket.write('GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  return answer.toString().startsWith('HTTP/1.1 200');
}

describe('a new certificate of the node', () => {
  let folder: string;
  let files: { cert: string; key: string };
  let node: SecureNode;
  const lines: { level: number; msg: string }[] = [];
  const write = ({ pem, key }: { pem: string; key: string }): void => {
    writeFileSync(files.cert, pem);
    writeFileSync(files.key, key);
  };
  const doors = (): (string | null)[] => [node.httpsUrl, node.mqttsUrl];
  const reloads = async (result: string): Promise<number[]> => {
    const series = await readMetrics(node.metricsUrl!);
    return ['https', 'mqtts'].map((use) => series.get(`umbra_tls_reloads_total{use="${use}",result="${result}"}`)!);
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'umbra-node-certificate-'));
    files = { cert: join(folder, 'node.crt'), key: join(folder, 'node.key') };
    write(issue());
    node = await startSecureNode({
      logger: pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
      environment: {
        ...{ UMBRA_TLS_CERT: files.cert, UMBRA_TLS_KEY: files.key, UMBRA_METRICS_PORT: '0', UMBRA_LIMIT_SESSIONS: '0' },
        UMBRA_HTTPS_PORT: String(await freePort()),
        UMBRA_MQTTS_PORT: String(await freePort()),
      },
    });
  });
  afterAll(async () => {
    await node.stop();
    rmSync(folder, { recursive: true });
  });

  it('is served by HTTPS and MQTT without a restart, soon after its files have changed', async () => {
    const old = await shownAt(node.mqttsUrl);
    expect(await shownAt(node.httpsUrl)).toBe(old);
    const next = issue();
    write(next);
    for (const url of doors())
      await until('the new certificate', async () => (await shownAt(url)) === fingerprintOf(next));
  });

  it('drops no connection, and a broken file changes nothing, which the log and the metrics say', async () => {
    const sockets: TLSSocket[] = [];
    const clients: MqttClient[] = [];
    let closed = 0;
    for (let i = 0; i < CONNECTIONS; i++) {
      const options = { clientId: `admin:${i}`, username: 'x', password: node.admin, reconnectPeriod: 0 };
      clients.push(await connectAsync(node.mqttsUrl!, { ...options, rejectUnauthorized: false }));
      sockets.push(await dial(node.httpsUrl));
    }
    for (const each of sockets) each.on('close', () => closed++);
    for (const each of clients) each.on('close', () => closed++);
    const before = await reloads('ok');
    const next = issue();
    write(next);
    process.emit('SIGHUP');
    for (const url of doors())
      await until('the new certificate', async () => (await shownAt(url)) === fingerprintOf(next));
    expect(await reloads('ok')).toEqual(before.map((count) => count + 1));

    write({ pem: next.pem, key: issue().key });
    process.emit('SIGHUP');
    await until('both doors have tried it', async () => (await reloads('failed')).join() === '1,1');
    for (const url of doors()) expect(await shownAt(url)).toBe(fingerprintOf(next));
    const text = 'the new certificate or key of the node cannot be used; the old ones stay';
    expect(lines.filter(({ level, msg }) => level === 50 && msg === text)).toHaveLength(2);

    expect(closed).toBe(0);
    expect((await Promise.all(sockets.map(isServed))).every(Boolean)).toBe(true);
    const topic = '$aws/things/lamp/shadow/get';
    await Promise.all(clients.map((each) => each.publishAsync(topic, '', { qos: 1 })));
    expect([closed, clients.every(({ connected }) => connected)]).toEqual([0, true]);
    for (const each of sockets) each.destroy();
    await Promise.all(clients.map((each) => each.endAsync(true)));
  });
});
