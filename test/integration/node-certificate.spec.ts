import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { startHttpNode, type HttpNode } from '../harness/http-node.js';
import { startMqttNode, type MqttNode } from '../harness/mqtt-node.js';
import { freePort } from '../harness/ports.js';
import { until } from '../harness/until.js';
import * as x509 from '../harness/x509.js';

const ca = x509.issueAuthority();
const issue = (): x509.Issued => x509.issue(ca, { subject: x509.nameOf(x509.cn('localhost')) });

async function shownAt(url: string | null): Promise<string> {
  const socket = connect({ port: Number(new URL(url!).port), host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerX509Certificate()!;
  socket.destroy();
  return fingerprint256;
}

describe('a new certificate of the node', () => {
  let folder: string;
  let http: HttpNode;
  let mqtt: MqttNode;
  let tls: { cert: string; key: string; ca: null };
  const write = async ({ pem, key }: x509.Issued): Promise<void> => {
    await writeFile(tls.cert, pem);
    await writeFile(tls.key, key);
  };
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'umbra-node-certificate-'));
    tls = { cert: join(folder, 'node.crt'), key: join(folder, 'node.key'), ca: null };
    await write(issue());
    http = await startHttpNode({ tls, http: { tlsPort: await freePort() } });
    mqtt = await startMqttNode({ tls });
  });
  afterAll(async () => {
    await http.stop();
    await mqtt.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('is served by HTTPS and MQTT without a restart', async () => {
    const old = await shownAt(mqtt.tlsUrl);
    expect(await shownAt(http.httpsUrl)).toBe(old);
    const next = issue();
    await write(next);
    const { fingerprint256 } = new X509Certificate(next.der);
    for (const url of [http.httpsUrl, mqtt.tlsUrl]) {
      await until('the new certificate', async () => (await shownAt(url)) === fingerprint256);
    }
  });
});
