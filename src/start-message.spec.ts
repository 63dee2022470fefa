import { spawnSync } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { ConfigError } from './config/config-error.js';
import { loadConfig } from './config/load-config.js';
import { INSTALL_ADVICE, LocalEtcdError } from './store/local-etcd/local-etcd-error.js';
import { readyMessage, startErrorMessage } from './start-message.js';

const node = {
  httpUrl: 'http://127.0.0.1:8081',
  mqttUrl: 'mqtt://127.0.0.1:1884',
  etcd: 'local',
  nodeId: 'n1',
  version: '1.2.3',
} as const;
const commands = (message: string) => message.split('\n').filter((line) => /^ {2}(mosquitto|curl)/.test(line));

describe('readyMessage', () => {
  it('names the addresses that there are', () => {
    const plain = readyMessage(node);
    for (const part of ['n1', '1.2.3', 'http://127.0.0.1:8081/docs', 'http://127.0.0.1:8081', 'mqtt://127.0.0.1:1884'])
      expect(plain).toContain(part);
    expect(plain).not.toMatch(/null|undefined|https|mqtts/);
    const tls = readyMessage({ ...node, httpsUrl: 'https://127.0.0.1:8443', mqttsUrl: 'mqtts://127.0.0.1:8883' });
    expect(tls).toMatch(/https:\/\/127\.0\.0\.1:8443[^]*mqtts:\/\/127\.0\.0\.1:8883/);
  });

  it('gives three commands that a shell hands on as they were meant', () => {
    const words = commands(readyMessage(node)).map((line) => {
      const { stdout } = spawnSync('sh', ['-c', `set -- ${line}; printf '%s\\n' "$@"`], { encoding: 'utf8' });
      return stdout.trim().split('\n');
    });
    expect(words).toHaveLength(3);
    expect(words[0]).toEqual(
      expect.arrayContaining(['mosquitto_sub', '-h', '127.0.0.1', '-p', '1884', '$aws/things/lamp/shadow/#']),
    );
    expect(words[1]).toContain('$aws/things/lamp/shadow/update');
    expect(JSON.parse(words[1]?.at(-1) ?? '')).toEqual({ state: { desired: { light: 'on' } } });
    expect(words[2]).toEqual(['curl', 'http://127.0.0.1:8081/things/lamp/shadow']);
  });

  it('never tells anybody to connect to 0.0.0.0', () => {
    const everywhere = readyMessage({ ...node, httpUrl: 'http://0.0.0.0:8080', mqttUrl: 'mqtt://0.0.0.0:1883' });
    expect(commands(everywhere).join('\n')).not.toContain('0.0.0.0');
  });
});

describe('startErrorMessage', () => {
  it('names the port that is taken, its variable, and another one', async () => {
    const first = createServer();
    await new Promise<void>((done) => first.listen(0, '127.0.0.1', done));
    const { port } = first.address() as AddressInfo;
    const second = createServer();
    const error = await new Promise((done) => second.once('error', done).listen(port, '127.0.0.1'));
    const message = startErrorMessage(error, loadConfig({ UMBRA_MQTT_PORT: String(port) }));
    await new Promise((done) => first.close(done));
    expect(message).toContain(`Port ${port} of 127.0.0.1 is taken by another process (UMBRA_MQTT_PORT)`);
    expect(message).toContain(`UMBRA_MQTT_PORT=${port + 1}`);
    expect(message).not.toMatch(/\n +at /);
  });

  it('names the port of the metrics, too', () => {
    const error = Object.assign(new Error('x'), { code: 'EADDRINUSE', port: 9464, address: '127.0.0.1' });
    const message = startErrorMessage(error, loadConfig({ UMBRA_METRICS_PORT: '9464' }));
    expect(message).toMatch(/Port 9464 of 127.0.0.1 is taken .*UMBRA_METRICS_PORT[^]*UMBRA_METRICS_PORT=9465/);
    const elsewhere = Object.assign(new Error('x'), { code: 'EADDRNOTAVAIL', port: 9464, address: '10.9.9.9' });
    expect(startErrorMessage(elsewhere, loadConfig({ UMBRA_METRICS_PORT: '9464' }))).toContain('UMBRA_METRICS_HOST');
  });

  it.each([
    [new ConfigError([{ variable: 'UMBRA_X', problem: 'is bad' }]), /UMBRA_X is bad/],
    [new LocalEtcdError('There is none.', INSTALL_ADVICE), /There is none\.[^]*apt-get install/],
    [Object.assign(new Error('x'), { code: 'EACCES', port: 80 }), /port 80 .*above 1023/],
    [Object.assign(new Error('x'), { code: 'EADDRNOTAVAIL', address: '10.9.9.9' }), /no address 10\.9\.9\.9.*_HOST/],
    [new Error('etcd: connection refused'), /http:\/\/e:2379[^]*connection refused[^]*UMBRA_ETCD_CA/],
    ['a string', /cannot start\.\na string/],
  ])('%s', (error, expected) => {
    expect(startErrorMessage(error, loadConfig({ UMBRA_ETCD_ENDPOINTS: 'http://e:2379' }))).toMatch(expected);
  });

  it('shows where an error that nobody foresaw came from', () => {
    expect(startErrorMessage(new TypeError('odd'), null)).toMatch(/TypeError: odd\n\s+at /);
  });
});
