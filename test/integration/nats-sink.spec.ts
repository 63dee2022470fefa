import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { natsKind } from '../../src/sinks/nats.sink.js';
import type { CheckedSettings } from '../../src/sinks/sink-kind.js';
import { startNats } from '../harness/nats.js';
import { until } from '../harness/until.js';
import { changeOf, READING, sinkParts, sinkSuite, type Taken } from '../suites/sink.suite.js';

const kind = natsKind(['127.0.0.1']);
const checked = (given: Record<string, unknown>): CheckedSettings =>
  kind.check(given, { tenant: 'acme', sink: 'events', filter: {}, before: null, now: 0 });

/** Everything that a stream has, read by the API of the server. */
async function messages(url: string, stream: string): Promise<{ subject: string; taken: Taken }[]> {
  const connection = await connect({ servers: url });
  try {
    const { streams } = await jetstreamManager(connection);
    const { state } = await streams.info(stream);
    const found: { subject: string; taken: Taken }[] = [];
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      const message = await streams.getMessage(stream, { seq });
      if (!message) continue;
      const event = message.json<Omit<Taken, 'id'>>();
      found.push({ subject: message.subject, taken: { ...event, id: message.header.get('Nats-Msg-Id') } });
    }
    return found;
  } finally {
    await connection.close();
  }
}

sinkSuite('nats', async () => {
  const server = await startNats();
  return {
    ...server,
    open: (parts) => kind.open(checked({ servers: [server.url], stream: 'UMBRA' }), parts),
    taken: async () => (await messages(server.url, 'UMBRA')).map(({ taken }) => taken),
  };
});

describe('a NATS sink', () => {
  const hasty = natsKind(['127.0.0.1'], 200);

  it('leaves a server that takes connections and says nothing', async () => {
    const taken: Socket[] = [];
    const silent = createServer((socket) => taken.push(socket.on('error', () => undefined))).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const sink = hasty.open(checked({ servers: [`nats://127.0.0.1:${port}`] }), sinkParts());
    await until('it tries again', () => taken.length > 1);
    expect(sink.health).toEqual({ ok: false, reason: expect.stringContaining('not connected') });
    await sink.close();
    for (const socket of taken) socket.destroy();
    silent.close();
  });
});

it('a NATS sink says which message the stream refuses, however well others go', async () => {
  const server = await startNats();
  const sink = kind.open(checked({ servers: [server.url], stream: 'SMALL', createStream: false }), sinkParts());
  const connection = await connect({ servers: server.url });
  const reading = new AbortController();
  try {
    const { streams } = await jetstreamManager(connection);
    await streams.add({ name: 'SMALL', subjects: ['umbra.acme.>'], max_msg_size: 1_000 });
    const large = { version: 1, reported: { text: 'x'.repeat(2_000) }, metadata: {} };
    void sink.deliver({ ...changeOf(1, 'large'), state: large }, reading.signal);
    await until('it is refused', () => sink.health.reason.includes('does not confirm acme/large//1: '));
    await sink.deliver(changeOf(2, 'small'), READING);
    expect(sink.health).toEqual({ ok: false, reason: expect.stringContaining('acme/large//1') });
    reading.abort();
    await until('it is given up', () => sink.health.ok);
  } finally {
    await sink.close();
    await connection.close();
    await server.stop();
  }
});

it('a NATS sink opens no server that this node does not allow', () => {
  const stored = checked({ servers: ['nats://127.0.0.1:4222'] });
  expect(() => natsKind(['10.0.0.1']).open(stored, sinkParts())).toThrow('127.0.0.1 is not among the servers');
});

describe('the stream of a NATS sink', () => {
  it('is told by name when it is missing or takes no changes, and used as soon as it is right', async () => {
    const server = await startNats();
    const sink = kind.open(checked({ servers: [server.url], stream: 'OWN', createStream: false }), sinkParts());
    const connection = await connect({ servers: server.url });
    try {
      const sent = sink.deliver(changeOf(7, 'lamp', '$a:b'), READING);
      await until('it is missing', () => sink.health.reason.includes('there is no stream OWN'));
      const { streams } = await jetstreamManager(connection);
      await streams.add({ name: 'OWN', subjects: ['umbra.other.>'] });
      await until('it takes others', () => sink.health.reason.includes('does not take umbra.acme.>'));
      await streams.update('OWN', { subjects: ['umbra.*.*.*.*'] });
      await sent;
      const [found] = await messages(server.url, 'OWN');
      expect(found).toMatchObject({
        subject: 'umbra.acme.lamp.$a:b.updated',
        taken: { id: 'acme/lamp/$a:b/7', revision: 7 },
      });
    } finally {
      await sink.close();
      await connection.close();
      await server.stop();
    }
  });
});
