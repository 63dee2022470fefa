import { connectAsync, type IPublishPacket, type MqttClient } from 'mqtt';
import { openEtcdStorage } from '../../src/store/etcd/open-etcd.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { EventReader, type StreamEvent } from '../harness/event-reader.js';
import { startHttpNode, type HttpNode } from '../harness/http-node.js';
import { metricsText } from '../harness/metrics-page.js';
import { startEtcdNode, type OpenNode } from '../harness/open-node.js';
import { hasProtoc, OtlpReceiver, type ReceivedSpan } from '../harness/otlp-receiver.js';
import { until } from '../harness/until.js';

describe('watch streams of nodes that share an etcd', () => {
  let etcd: EtcdServer;
  let a: HttpNode;
  let b: HttpNode;
  const readers: EventReader[] = [];
  const start = () => startHttpNode({ open: openEtcdStorage, etcd: { endpoints: [etcd.endpoint] } });
  beforeAll(async () => {
    etcd = await startEtcd();
    [a, b] = await Promise.all([start(), start()]);
  });
  afterAll(async () => {
    for (const reader of readers) reader.close();
    await a.stop();
    await b.stop();
    await etcd.stop();
  });

  async function watch(node: HttpNode, path: string, id?: string): Promise<EventReader> {
    const reader = await EventReader.open(`${node.url}/v1${path}`, id === undefined ? {} : { 'last-event-id': id });
    readers.push(reader);
    return reader;
  }
  const update = async (node: HttpNode, thing: string, n: number): Promise<void> => {
    const response = await fetch(`${node.url}/v1/things/${thing}/shadow/reported`, {
      method: 'PATCH',
      body: `{"n":${n}}`,
    });
    expect(response.status).toBe(200);
  };

  it('tell the changes that came through any node, and resume on any node', async () => {
    const first = await watch(a, '/things/x/watch');
    for (let n = 1; n <= 10; n++) await update(n % 2 ? a : b, 'x', n);
    const events: StreamEvent[] = [];
    while (events.length < 4) events.push(await first.nextOf('change'));
    first.close();
    const second = await watch(b, '/things/x/watch', events[3]?.id);
    while (events.length < 10) events.push(await second.nextOf('change'));
    expect(events.map(({ data }) => data['version'])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('start with the present state of every node', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, i) => update(i % 2 ? a : b, `initial-${i}`, i)));
    const reader = await watch(b, '/watch?initial=true');
    const things = new Set<unknown>();
    for (let event = await reader.next(); event?.event === 'initial'; event = await reader.next())
      things.add(event.data['thing']);
    for (let i = 0; i < 20; i++) expect(things).toContain(`initial-${i}`);
  });

  it('say that a cursor is gone when etcd has compacted what came after it', async () => {
    const reader = await watch(a, '/watch');
    await update(a, 'c', 1);
    const { id } = await reader.nextOf('change');
    reader.close();
    for (let n = 2; n <= 5; n++) await update(a, 'c', n);
    const head = await etcd.client.kv.range({ key: Buffer.from('x') });
    await etcd.client.kv.compact({ revision: head.header.revision, physical: true });
    // Only a node that has not seen the changes itself has to ask etcd for them.
    const fresh = await start();
    try {
      const response = await fetch(`${fresh.url}/v1/watch`, { headers: { 'last-event-id': id ?? '' } });
      const text = await new Response(response.body).text();
      // It depends on etcd's haste whether it is known before the stream starts; either way it is said, and is the end.
      if (response.status === 410)
        expect(JSON.parse(text)).toMatchObject({ type: 'urn:umbra:problem:cursor-gone', reason: 'compacted' });
      else
        expect([response.status, text]).toEqual([
          200,
          expect.stringMatching(/event: end\ndata: \{"reason":"compacted"/),
        ]);
    } finally {
      await fresh.stop();
    }
  });
});

(hasProtoc ? describe : describe.skip)('traces of nodes that share an etcd', () => {
  const TRACE = '0af7651916cd43dd8448eb211c80319c';
  const traceparent = `00-${TRACE}-b7ad6b7169203331-01`;
  const accepted = (thing: string): string => `$aws/things/${thing}/shadow/update/accepted`;
  let etcd: EtcdServer;
  let receiver: OtlpReceiver;
  let one: OpenNode;
  let two: OpenNode;
  const clients: MqttClient[] = [];
  beforeAll(async () => {
    [etcd, receiver] = await Promise.all([startEtcd(), OtlpReceiver.start()]);
    const environment = { UMBRA_TRACE_ENDPOINT: receiver.url, UMBRA_TRACE_RULES: '10000', UMBRA_METRICS_PORT: '0' };
    const start = (id: string) => startEtcdNode(etcd.endpoint, { ...environment, UMBRA_NODE_ID: id });
    [one, two] = await Promise.all([start('one'), start('two')]);
  });
  afterAll(async () => {
    for (const client of clients) client.end(true);
    await Promise.all([one.stop(), two.stop()]);
    await Promise.all([receiver.stop(), etcd.stop()]);
  });

  async function connect(node: OpenNode, protocolVersion: 4 | 5): Promise<MqttClient> {
    const client = await connectAsync(node.mqttUrl, { protocolVersion, reconnectPeriod: 0 });
    clients.push(client);
    return client;
  }
  /** What a new subscriber gets. */
  async function subscriber(level: 4 | 5, thing: string, node = two): Promise<IPublishPacket[]> {
    const client = await connect(node, level);
    const got: IPublishPacket[] = [];
    client.on('message', (_topic, _payload, packet) => void got.push(packet));
    await client.subscribeAsync(accepted(thing), { qos: 1 });
    return got;
  }
  const update = async (thing: string, properties: Record<string, string>): Promise<void> => {
    const device = await connect(one, 5);
    const topic = `$aws/things/${thing}/shadow/update`;
    await device.publishAsync(topic, '{"state":{"desired":{"on":true}}}', {
      ...{ qos: 1, properties: { userProperties: properties } },
    });
  };
  const spansOf = (node: string, all: readonly ReceivedSpan[]): ReceivedSpan[] =>
    all.filter((span) => span.node === node);
  /** Bytes of a PUBLISH with QoS 1 after its fixed header. */
  const sizeOf = ({ topic, payload }: IPublishPacket): number => 2 + topic.length + 2 + payload.length;

  it('lead from a client of one node to the subscribers of another', async () => {
    const [modern, older] = [await subscriber(5, 'lamp'), await subscriber(4, 'lamp')];
    const own = await subscriber(5, 'lamp', one);
    const stream = await EventReader.open(`${two.url}/v1/things/lamp/watch`);
    await update('lamp', { traceparent, tracestate: 'congo=t61' });
    const event = await stream.nextOf('change');
    stream.close();
    await until('all subscribers', () => modern.length + older.length + own.length === 3);
    const all = await until('the spans', async () => {
      const spans = await receiver.spans();
      const has = (node: string, name: string): boolean => spansOf(node, spans).some((span) => span.name === name);
      return has('one', 'commit') && has('two', 'mqtt publish') && spans;
    });
    const [door, ...parts] = spansOf('one', all).filter(({ traceId }) => traceId === TRACE);
    expect(door).toMatchObject({
      ...{ name: 'mqtt update', kind: 'SPAN_KIND_SERVER', traceId: TRACE, parentSpanId: 'b7ad6b7169203331' },
      traceState: 'congo=t61',
      attributes: { 'umbra.thing': 'lamp', 'umbra.outcome': 'ok' },
    });
    expect(parts.map(({ name, traceId, parentSpanId }) => [name, traceId, parentSpanId])).toEqual(
      ['queue', 'read', 'commit'].map((name) => [name, TRACE, door?.spanId]),
    );
    const [feed, publish] = spansOf('two', all);
    const links = [{ traceId: TRACE, spanId: door?.spanId }];
    expect([feed, publish].map((span) => [span?.name, span?.links])).toEqual([
      ['feed', links],
      ['mqtt publish', links],
    ]);
    expect(publish).toMatchObject({ kind: 'SPAN_KIND_PRODUCER', traceId: feed?.traceId, parentSpanId: feed?.spanId });

    const told = { traceparent: `00-${TRACE}-${door?.spanId}-01`, tracestate: 'congo=t61' };
    expect([modern, own].map(([first]) => first?.properties?.userProperties)).toEqual([told, told]);
    expect(event.data).toMatchObject(told);
    expect([older[0]?.length, older[0]?.payload]).toEqual([sizeOf(older[0]!), modern[0]?.payload]);
  });

  it('are not told of where a client does not record its own', async () => {
    const [modern, older] = [await subscriber(5, 'quiet'), await subscriber(4, 'quiet')];
    await update('quiet', { traceparent: traceparent.replace(/01$/, '00') });
    await until('both subscribers', () => modern.length + older.length === 2);
    // One byte for the length of no properties.
    expect([modern[0]?.length, older[0]?.length]).toEqual([sizeOf(modern[0]!) + 1, sizeOf(older[0]!)]);
    expect(JSON.stringify(await receiver.spans(), (_, value: unknown) => String(value))).not.toContain('quiet');
  });

  it.each([
    ['is not valid', { traceparent: traceparent.toUpperCase() }],
    [
      'came twice',
      [['traceparent', traceparent] as [string, string], ['traceparent', traceparent] as [string, string]],
    ],
  ])('begin anew where the header of a caller %s', async (_, headers: Record<string, string> | [string, string][]) => {
    const answer = await fetch(`${one.url}/v1/things/door/shadow`, { headers });
    expect(answer.headers.get('traceresponse')).toMatch(/^00-(?!0af7)[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  });

  it('go through HTTP, and are named by the metrics', async () => {
    const headers = { traceparent, tracestate: 'bad' };
    const path = `${two.url}/v1/things/door/shadow/desired`;
    const answer = await fetch(path, { method: 'PATCH', headers, body: '{"open":true}' });
    const told = answer.headers.get('traceresponse') ?? '';
    expect([answer.status, told.slice(0, 36)]).toEqual([200, `00-${TRACE}-`]);
    const find = async (): Promise<ReceivedSpan[]> =>
      (await receiver.spans()).filter(({ spanId, parentSpanId }) =>
        [spanId, parentSpanId].includes(told.slice(36, 52)),
      );
    const spans = await until('its spans', async () => {
      const found = await find();
      return found.length > 0 && found;
    });
    expect(spans.map(({ name }) => name)).toEqual(['http update', 'queue', 'read', 'commit']);
    expect(spans[0]?.attributes).toMatchObject({
      ...{ 'http.request.method': 'PATCH', 'http.response.status_code': '200', 'umbra.thing': 'door' },
      'http.route': '/v1/things/:thing/shadow/desired',
    });
    const page = await metricsText(two.metricsUrl ?? '', 'openmetrics');
    for (const stage of ['decode', 'publish', 'deliver'])
      expect(page).toMatch(new RegExp(`umbra_feed_stage_seconds_count\\{stage="${stage}"\\} [1-9]`));
    expect(await metricsText(one.metricsUrl ?? '', 'openmetrics')).toMatch(
      new RegExp(`^umbra_mqtt_puback_seconds_bucket.* # .trace_id="${TRACE}".`, 'm'),
    );
    const exemplar = ` # {trace_id="${TRACE}"} `;
    const named = page.split('\n').filter((line) => line.includes(exemplar));
    expect(named.map((line) => line.slice(0, line.indexOf('_bucket'))).sort()).toEqual([
      'umbra_commit_duration_seconds',
      'umbra_request_duration_seconds',
    ]);
    expect(page).toMatch(/^umbra_traces_total\{decision="head"\} [1-9]/m);
  });
});
