import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { fetchJson } from '../../src/auth/tokens/bounded-fetch.js';
import type { BrokerConfig } from '../../src/config/config.js';
import { createExternalClient, endClient, RECONNECT_MS } from '../../src/mqtt/external/client.js';
import { SYSTEM_CLOCK } from '../../src/resilience/clock.js';
import { frame } from '../../src/store/etcd/client/channel/grpc-message.js';
import { createEtcdClient } from '../../src/store/etcd/client/etcd-client.js';
import { EtcdMembers } from '../../src/store/etcd/client/members.js';
import { EtcdAdvice } from '../../src/store/etcd/etcd-advice.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { etcdKeys } from '../harness/etcd-cluster-keys.js';
import { etcdConfig, openChannel } from '../harness/etcd-store.js';
import { until } from '../harness/until.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
/** Milliseconds that an end may be late on a busy machine. Without a deadline there would be none at all. */
const LATE_MS = 20_000;

/** A server that takes every connection and whatever is sent, and never answers. */
class SilentServer {
  /** Bytes of all connections. */
  heard = '';
  readonly #sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  /** @param greet what it does with a new connection */
  static async start(greet: (socket: Socket) => void = () => undefined): Promise<SilentServer> {
    const server = createServer();
    const silent = new SilentServer(server);
    server.on('connection', (socket) => {
      silent.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => (silent.heard += chunk.toString('latin1')));
      greet(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return silent;
  }

  get host(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Milliseconds until it has failed, and why. */
async function failure(call: Promise<unknown>, limitMs: number): Promise<{ ms: number; reason: string }> {
  const start = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const endless = new Promise<string>((resolve) => (timer = setTimeout(resolve, limitMs + LATE_MS, 'it never ended')));
  const ended = call.then(
    () => 'it succeeded',
    (error: unknown) => String(error),
  );
  const reason = await Promise.race([ended, endless]);
  clearTimeout(timer);
  return { ms: performance.now() - start, reason };
}

/** What a client needs of it. */
const broker = (url: string): BrokerConfig =>
  ({ url, user: null, password: null, tls: { ca: null, cert: null, key: null } }) as unknown as BrokerConfig;

/** Each case is a dependency that takes the call and never answers; all at once, since they take their seconds anyway. */
describe('a dependency that never answers', () => {
  let server: SilentServer;
  let trickle: SilentServer;
  const ends: (() => unknown)[] = [];
  beforeAll(async () => {
    server = await SilentServer.start();
    trickle = await SilentServer.start((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n');
      const timer = setInterval(() => socket.write(' '), 100);
      socket.on('close', () => clearInterval(timer));
    });
  });
  afterAll(async () => {
    await Promise.all(ends.map((end) => end()));
    server.stop();
    trickle.stop();
  });

  const never = new AbortController().signal;
  const connecting = async (url: string): Promise<void> => {
    const client = createExternalClient(broker(url), { clientId: 'c', sessionSeconds: 0, receiveMaximum: 10 });
    const closed = new Promise<void>((_, reject) => {
      client.once('close', () => void endClient(client, 100).then(() => reject(new Error('closed'))));
    });
    client.on('error', () => undefined);
    client.connect();
    await closed;
  };

  it('is left at the deadline of the call', async () => {
    const config = etcdConfig([`http://${server.host}`], { callTimeoutMs: 300 });
    const library = createEtcdClient(`http://${server.host}`, config, {});
    const channel = openChannel(`http://${server.host}`);
    const { keys, close } = etcdKeys([`http://${server.host}`], { callTimeoutMs: 300 });
    const members = new EtcdMembers(config, SYSTEM_CLOCK, SILENT_LOGGER);
    const advice = new EtcdAdvice(members, config, SILENT_LOGGER);
    ends.push(
      () => library.close(),
      () => channel.close(),
      close,
      () => advice.close(),
      () => members.close(),
    );
    const cases: Record<string, readonly [limitMs: number, reason: RegExp, call: () => Promise<unknown>]> = {
      'a call of the library that gives no deadline': [
        300,
        /deadline|timed? ?out/i,
        () => library.kv.range({ key: Buffer.from('a') }),
      ],
      'a call over a channel': [
        300,
        /Deadline exceeded/,
        () => channel.unary('/etcdserverpb.KV/Range', frame(Buffer.alloc(0)), 300),
      ],
      'every call to the keys of a cluster: grant': [2_000, /storage/i, () => keys.grant(60)],
      'every call to the keys of a cluster: keepAlive': [2_000, /storage/i, () => keys.keepAlive('7')],
      'every call to the keys of a cluster: revoke': [2_000, /storage/i, () => keys.revoke('7')],
      'every call to the keys of a cluster: list': [2_000, /storage/i, () => keys.list('a/')],
      'every call to the keys of a cluster: get': [2_000, /storage/i, () => keys.get('a')],
      'every call to the keys of a cluster: commit': [
        2_000,
        /storage/i,
        () => keys.commit({ guards: [], deletes: ['a'] }),
      ],
      'the keys of an issuer that never answers': [
        5_000,
        /no answer within 5000 ms/,
        () => fetchJson(`http://${server.host}`, never),
      ],
      'the keys of an issuer that answers byte by byte': [
        5_000,
        /no answer within 5000 ms/,
        () => fetchJson(`http://${trickle.host}`, never),
      ],
      'a broker that takes connections and says nothing': [5_000, /closed/, () => connecting(`mqtt://${server.host}`)],
      'a broker whose TLS says nothing': [5_000, /closed/, () => connecting(`mqtts://${server.host}`)],
    };
    // Node 20 loses some signals with a deadline at a collection of garbage.
    const collecting = setInterval(collectGarbage, 500);
    ends.push(() => clearInterval(collecting));
    const metrics = until(
      'the metrics of a member are asked for again',
      () => server.heard.split('GET /metrics').length > 2,
    );
    const ended = await Promise.all(
      Object.entries(cases).map(async ([name, [limitMs, expected, call]]) => {
        const { ms, reason } = await failure(call(), limitMs);
        // Not at once either: then it was refused, and not left waiting.
        return {
          name,
          reason: expected.test(reason) ? 'as expected' : reason,
          isWaited: ms > 0.8 * limitMs,
        };
      }),
    );
    expect(ended).toEqual(Object.keys(cases).map((name) => ({ name, reason: 'as expected', isWaited: true })));
    await metrics;
  });

  it('is not tried again by a client that was ended while it connected', async () => {
    const taken = await SilentServer.start();
    const client = createExternalClient(broker(`mqtt://${taken.host}`), {
      ...{ clientId: 'c', sessionSeconds: 60, receiveMaximum: 10 },
    });
    client.on('error', () => undefined);
    client.connect();
    await until('the CONNECT', () => taken.heard.length > 0);
    await endClient(client, 100);
    taken.heard = '';
    await new Promise((resolve) => setTimeout(resolve, 4 * RECONNECT_MS));
    taken.stop();
    expect(taken.heard).toBe('');
  });
});
