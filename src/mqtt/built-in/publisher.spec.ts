import { loadConfig } from '../../config/load-config.js';
import { CHANGE_TAILS, type ChangeTail } from '../../document/change-messages.js';
import type { ShadowState } from '../../document/shadow-document.js';
import { ServiceError } from '../../errors/service-error.js';
import type { ShadowKey, ShadowRecord, ShadowStore } from '../../store/shadow-store.js';
import { SILENT_LOGGER } from '../../telemetry/logger.js';
import { MqttMetrics } from '../../telemetry/mqtt-metrics.js';
import type { Span } from '../../telemetry/span.js';
import { Tracer } from '../../telemetry/tracer.js';
import type { FeedListener, WatchHub } from '../../watch/subscription.js';
import type { MqttBroker } from './broker.js';
import type { CurrentDeltas } from './current-deltas.js';
import { PreviousDocuments } from '../previous-documents.js';
import { shadowTopic } from '../topics.js';
import { MqttPublisher } from './publisher.js';
import type { Audience } from './subscriptions/audience.js';

const position = (revision: number) => ({ cluster: 'c', epoch: 0, revision });
const record = (thing: string, version: number, revision: number, state: Partial<ShadowState> = {}): ShadowRecord =>
  ({
    key: { tenant: 'default', thing, name: null },
    state: { version, desired: { v: version }, metadata: { desired: { v: { timestamp: 1 } } }, ...state },
    change: { kind: 'update', patch: { desired: { v: version } }, principal: 'p', at: 1000 },
    position: position(revision),
  }) as ShadowRecord;

interface Read {
  readonly thing: string;
  readonly revision: number;
  readonly resolve: (record: ShadowRecord | null) => void;
  readonly reject: (error: Error) => void;
}

function create(wanted: (topic: string) => boolean = () => true) {
  const sent: string[] = [];
  const texts: string[] = [];
  const reads: Read[] = [];
  let listener: FeedListener | undefined;
  let gaps = 0;
  const metrics = new MqttMetrics();
  const leftOut = () => metrics.documentsLeftOut.samples()?.map(({ value }) => value);
  const broker = {
    metrics,
    audienceOf: (key: ShadowKey) => {
      const has = (tail: ChangeTail): boolean => wanted(`${shadowTopic(key)}/${tail}`);
      return CHANGE_TAILS.some(has) ? ({ has } as Audience) : null;
    },
    tell: (_audience: Audience, tail: ChangeTail, text: string, { key }: ShadowRecord) => {
      texts.push(text);
      const { version, current } = JSON.parse(text) as { version?: number; current?: { version: number } };
      sent.push(`${key.thing} ${tail} ${current?.version ?? version}`);
    },
  } as unknown as MqttBroker;
  const store = {
    getBefore: ({ thing }: { thing: string }, { revision }: { revision: number }) =>
      new Promise((resolve, reject) => reads.push({ thing, revision, resolve, reject })),
  } as unknown as ShadowStore;
  const hub = { follow: (one: FeedListener) => ((listener = one), () => {}) } as unknown as WatchHub;
  const deltas = { start() {}, stop() {}, sendToAll: () => gaps++ } as unknown as CurrentDeltas;
  const previous = new PreviousDocuments(loadConfig({}), { now: () => 0, monotonic: () => 0 }, store);
  const publisher = new MqttPublisher(SILENT_LOGGER, hub, broker, deltas, previous);
  publisher.start();
  const feed = (...records: ShadowRecord[]): void => {
    listener?.batch({ position: position(records.at(-1)?.position.revision ?? 0), records });
  };
  return { sent, texts, reads, feed, publisher, leftOut, gap: () => listener?.gap('compacted'), gaps: () => gaps };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('makes spans of what it tells of a change with a trace, and of no other', () => {
  const { feed, publisher, sent } = create((topic) => topic.endsWith('/delta'));
  const spans: Span[] = [];
  Object.assign(publisher, { tracer: new Tracer({ taker: { take: (more) => void spans.push(...more) } }) });
  const trace = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: '' };
  const traced = record('T', 2, 11);
  feed(record('T', 1, 10), { ...traced, change: { ...traced.change, trace } }, record('U', 1, 12));
  expect(sent).toHaveLength(3);
  expect(spans.map(({ name, link }) => [name, link?.spanId])).toEqual([
    ['feed', 'b7ad6b7169203331'],
    ['mqtt publish', 'b7ad6b7169203331'],
  ]);
  expect(spans[0]?.attributes).toEqual({
    ...{ 'umbra.tenant': 'default', 'umbra.thing': 'T', 'umbra.version': 2, 'umbra.revision': 11 },
    ...{ 'umbra.changed_at': '1970-01-01T00:00:01.000Z', 'umbra.messages': 1 },
  });
});

describe('MqttPublisher', () => {
  it('sends delta, documents, accepted in that order', () => {
    const { sent, feed, publisher } = create();
    feed(record('T', 1, 10), record('T', 2, 11));
    expect(sent).toEqual([
      'T update/delta 1',
      'T update/documents 1',
      'T update/accepted 1',
      'T update/delta 2',
      'T update/documents 2',
      'T update/accepted 2',
    ]);
    expect(publisher.revision).toBe(11);
  });

  it('looks before it builds', () => {
    const { sent, reads, feed } = create((topic) => topic.endsWith('update/accepted'));
    feed(record('T', 5, 10));
    expect(sent).toEqual(['T update/accepted 5']);
    expect(reads).toHaveLength(0);
  });

  it('holds back one shadow while its previous document is read, and no other', async () => {
    const { sent, reads, feed } = create();
    feed(record('T', 5, 10), record('U', 1, 11), record('T', 6, 12));
    expect(sent).toEqual(['T update/delta 5', 'U update/delta 1', 'U update/documents 1', 'U update/accepted 1']);
    expect(reads).toMatchObject([{ thing: 'T', revision: 10 }]);
    sent.length = 0;
    reads[0]?.resolve(record('T', 4, 9));
    await turn();
    expect(sent).toEqual([
      'T update/documents 5',
      'T update/accepted 5',
      'T update/delta 6',
      'T update/documents 6',
      'T update/accepted 6',
    ]);
    expect(reads).toHaveLength(1);
  });

  it('leaves documents out when the previous one cannot be had', async () => {
    const { sent, reads, feed, leftOut } = create((topic) => !topic.endsWith('delta'));
    feed(record('T', 5, 10));
    reads[0]?.reject(new ServiceError('cursorGone', 'compacted'));
    await turn();
    expect(sent).toEqual(['T update/accepted 5']);
    expect(leftOut()).toEqual([1, 0]);
  });

  it('goes on without documents when too many records wait', async () => {
    const { sent, reads, feed, leftOut } = create((topic) => !topic.endsWith('delta'));
    for (let version = 5; version < 10_010; version++) feed(record('T', version, version));
    const accepted = sent.filter((line) => line.includes('accepted'));
    expect(accepted.length).toBeGreaterThan(10_000);
    expect(accepted).toEqual(accepted.map((_, i) => `T update/accepted ${i + 5}`));
    expect(leftOut()).toEqual([0, 1]);
    const before = sent.length;
    reads[0]?.resolve(null);
    await turn();
    expect(sent).toHaveLength(before);
  });

  it('knows that nothing was there before a creation, also after a deletion', () => {
    const { texts, reads, feed } = create((topic) => topic.endsWith('documents'));
    const tombstone = { deleted: true, version: 1, deletedAt: 1 } as const;
    feed(record('T', 1, 10), {
      ...record('T', 1, 11),
      state: tombstone,
      change: { kind: 'delete', principal: 'p', at: 1 },
    });
    feed(record('T', 3, 12));
    expect(reads).toHaveLength(0);
    const bodies = texts.map((text) => JSON.parse(text) as { previous: unknown });
    expect(bodies.map(({ previous }) => previous)).toEqual([null, null]);
  });

  it('reads again, and sends current deltas, after a gap', () => {
    const { reads, feed, gap, gaps } = create((topic) => topic.endsWith('documents'));
    feed(record('T', 1, 10));
    gap();
    feed(record('T', 2, 20));
    expect(gaps()).toBe(1);
    expect(reads).toMatchObject([{ revision: 20 }]);
  });

  it('looks at a change only for a subscriber, and leaves out a value that turns out to be no record', () => {
    const looks: string[] = [];
    const damaged = (thing: string): ShadowRecord =>
      Object.defineProperty(
        { key: { tenant: 'default', thing, name: null }, position: position(10) } as ShadowRecord,
        'isReadable',
        {
          get: () => (looks.push(thing), false),
        },
      );
    const { sent, feed, publisher } = create((topic) => topic.includes('/T/') && topic.endsWith('accepted'));
    feed(damaged('T'), damaged('FOREIGN'), record('T', 1, 10));
    expect(looks).toEqual(['T']);
    expect(sent).toEqual(['T update/accepted 1']);
    expect(publisher.revision).toBe(10);
  });

  it('tells the other changes of a commit although one of them cannot be told', () => {
    const { sent, feed, publisher } = create((topic) => {
      if (topic.includes('/BAD/')) throw new Error('broken');
      return topic.endsWith('accepted');
    });
    feed(record('T', 1, 10), record('BAD', 1, 10), record('U', 1, 10));
    expect(sent).toEqual(['T update/accepted 1', 'U update/accepted 1']);
    expect(publisher.revision).toBe(10);
  });

  it('has not told a change that waits for its previous document: a shutdown waits for it', async () => {
    const { reads, feed, publisher } = create();
    feed(record('T', 5, 10), record('U', 1, 11));
    expect(publisher.revision).toBe(9);
    reads[0]?.resolve(record('T', 4, 9));
    await turn();
    expect(publisher.revision).toBe(11);
  });
});
