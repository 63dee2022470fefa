import { MemoryShadowStore } from '../../store/memory/memory-shadow-store.js';
import { SettableClock } from '../../../test/harness/clock.js';
import type { ChangeTrace, ShadowDocument } from '../../document/shadow-document.js';
import { ServiceError } from '../../errors/service-error.js';
import { PreviousDocuments } from '../previous-documents.js';
import type { ShadowRecord } from '../../store/shadow-store.js';
import { SILENT_LOGGER } from '../../telemetry/logger.js';
import type { Span } from '../../telemetry/span.js';
import { Tracer } from '../../telemetry/tracer.js';
import { ExternalBrokerSink, type SafePublisher } from './external-broker.sink.js';

const KEY = { tenant: 'default', thing: 't1', name: null };
const stop = new AbortController();
afterAll(() => stop.abort());

function record(version: number, desired: Record<string, number>): ShadowRecord {
  const state: ShadowDocument = { version, desired, metadata: { desired: {} } } as unknown as ShadowDocument;
  return {
    key: KEY,
    state,
    change: { kind: 'update', patch: { desired }, principal: 'p', at: 1000 },
    position: { cluster: 'c', epoch: 0, revision: 10 + version },
  };
}

interface Sent {
  readonly tail: string;
  readonly json: { version?: number; previous?: { version: number } | null; current?: { version: number } };
}

function setup(getBefore: (record: ShadowRecord) => Promise<ShadowRecord | null>, documents = true) {
  const clock = new SettableClock();
  const previous = new PreviousDocuments({ requestTimeoutMs: 1000 }, clock, new MemoryShadowStore({ clock }));
  previous.read = async (of) => (await getBefore(of))?.state ?? null;
  const sent: Sent[] = [];
  const traces: (ChangeTrace | undefined)[] = [];
  const spans: Span[] = [];
  const tracer = new Tracer({ clock, taker: { take: (more) => void spans.push(...more) } });
  const publisher: SafePublisher = {
    publish: (topic, payload, _over, trace) => {
      traces.push(trace);
      sent.push({ tail: topic.split('/shadow/')[1] as string, json: JSON.parse(payload) });
      return Promise.resolve();
    },
  };
  const sink = new ExternalBrokerSink(publisher, previous, documents, SILENT_LOGGER, stop.signal, () => tracer);
  return {
    sink,
    sent,
    traces,
    spans,
    tails: () => sent.map(({ tail, json }) => `${tail} ${json.version ?? json.current?.version}`),
  };
}

describe('ExternalBrokerSink', () => {
  it('goes on with the trace of a change as it is told, and not long after', async () => {
    const { sink, traces, spans } = setup(() => Promise.reject(new Error('not needed')), false);
    const trace = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: '' };
    const traced = record(1, { a: 1 });
    await sink.deliver({ ...traced, change: { ...traced.change, trace } });
    expect(traces).toEqual([trace, trace]);
    expect(spans.map(({ name, attributes }) => [name, attributes['umbra.messages']])).toEqual([
      ['feed', 2],
      ['external publish', 2],
    ]);
    await sink.converge({ ...traced, change: { ...traced.change, trace } });
    await sink.deliver(record(2, { a: 2 }));
    expect([traces.slice(2), spans.length]).toEqual([[undefined, undefined, undefined], 2]);
  });

  it('sends delta, documents, accepted; the previous document of the next change is the one it has sent', async () => {
    const { sink, sent, tails } = setup(() => Promise.reject(new Error('not needed')));
    await sink.deliver(record(1, { a: 1 }));
    await sink.deliver(record(2, { a: 2 }));
    expect(tails()).toEqual([
      'update/delta 1',
      'update/documents 1',
      'update/accepted 1',
      'update/delta 2',
      'update/documents 2',
      'update/accepted 2',
    ]);
    expect(sent[1]?.json.previous).toBeNull();
    expect(sent[4]?.json.previous?.version).toBe(1);
  });

  it('changes of a shadow wait, in their order, for a previous document that must be read; others do not', async () => {
    let give: (record: ShadowRecord) => void = () => undefined;
    const { sink, tails } = setup(() => new Promise((resolve) => (give = resolve)));
    const waiting = [5, 6, 7].map((version) => sink.deliver(record(version, { a: version })));
    const other = { ...record(1, { b: 1 }), key: { ...KEY, thing: 't2' } };
    await sink.deliver(other);
    expect(tails()).toHaveLength(3);
    give(record(4, { a: 4 }));
    await Promise.all(waiting);
    expect(
      tails()
        .slice(3)
        .filter((tail) => tail.includes('documents')),
    ).toEqual(['update/documents 5', 'update/documents 6', 'update/documents 7']);
    expect(tails().at(-1)).toBe('update/accepted 7');
  });

  it('leaves documents out, and nothing else, when the history is compacted', async () => {
    const { sink, tails } = setup(() => Promise.reject(new ServiceError('cursorGone')));
    await sink.deliver(record(5, { a: 5 }));
    expect(tails()).toEqual(['update/delta 5', 'update/accepted 5']);
  });

  it('asks again when the storage was away', async () => {
    let asked = 0;
    const { sink, tails } = setup(() =>
      asked++ === 0 ? Promise.reject(new ServiceError('storageUnavailable')) : Promise.resolve(record(4, { a: 4 })),
    );
    await sink.deliver(record(5, { a: 5 }));
    expect(tails()).toContain('update/documents 5');
  });

  it('reads nothing when documents are off', async () => {
    const { sink, tails } = setup(() => Promise.reject(new Error('not needed')), false);
    await sink.deliver(record(5, { a: 5 }));
    expect(tails()).toEqual(['update/delta 5', 'update/accepted 5']);
  });
});
