import type { ServerResponse } from 'node:http';
import { OtlpReceiver, hasProtoc } from '../../test/harness/otlp-receiver.js';
import { until } from '../../test/harness/until.js';
import { SILENT_LOGGER } from './logger.js';
import { otlpSender } from './otlp.js';
import { SpanQueue, type SendSpans } from './span-queue.js';
import type { Span } from './span.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const span = (more: Partial<Span> = {}): Span => ({
  ...{ name: 'mqtt update', kind: 'server', traceId: TRACE, spanId: SPAN, parent: null, state: '' },
  ...{ start: 1_700_000_000_123.25, end: 1_700_000_000_125.5, failure: null, attributes: {}, link: null },
  ...more,
});

(hasProtoc ? describe : describe.skip)('what a receiver gets', () => {
  let receiver: OtlpReceiver;
  let send: SendSpans;
  beforeAll(async () => {
    receiver = await OtlpReceiver.start();
    const resource = { 'service.name': 'umbra', 'service.instance.id': 'n-1' };
    send = await otlpSender({ url: receiver.url, headers: { authorization: 'Bearer x' }, resource });
  });
  afterAll(() => receiver.stop());

  it('is every member of a span', async () => {
    const other = { traceId: '1'.repeat(32), spanId: '2'.repeat(16) };
    await send([
      span({
        attributes: { 'umbra.thing': 'lamp "1"\n', 'umbra.revision': 7, 'umbra.commit.doubted': true },
        state: 'a=1',
      }),
      span({ kind: 'producer', parent: { spanId: '3'.repeat(16), isRemote: true }, failure: 'internal', link: other }),
    ]);
    expect(await receiver.spans()).toEqual([
      {
        ...{ name: 'mqtt update', kind: 'SPAN_KIND_SERVER', traceId: TRACE, spanId: SPAN, parentSpanId: '' },
        ...{ traceState: 'a=1', start: 1_700_000_000_123_250_000n, end: 1_700_000_000_125_500_000n },
        attributes: { 'umbra.thing': 'lamp "1"\n', 'umbra.revision': '7', 'umbra.commit.doubted': 'true' },
        ...{ links: [], status: '', node: 'n-1' },
      },
      expect.objectContaining({
        ...{ kind: 'SPAN_KIND_PRODUCER', parentSpanId: '3'.repeat(16), links: [other] },
        status: 'STATUS_CODE_ERRORinternal',
      }),
    ]);
    expect(receiver.heads[0]).toMatchObject({ 'content-type': 'application/x-protobuf', authorization: 'Bearer x' });
  });

  it.each<[string, (response: ServerResponse) => void]>([
    ['never answers', () => undefined],
    ['never ends its answer', (response) => void response.writeHead(200).write('.')],
  ])('is lost after a time when the receiver %s', async (_, reply) => {
    receiver.reply = reply;
    const hasty = await otlpSender({ url: receiver.url, headers: {}, resource: {}, timeoutMs: 50 });
    await expect(hasty([span()])).rejects.toThrow();
  });

  it('is lost when the receiver refuses it', async () => {
    receiver.reply = (response) => void response.writeHead(400).end();
    await expect(send([span()])).rejects.toThrow();
  });
});

describe('SpanQueue', () => {
  const setup = (send: SendSpans) => {
    let lost = 0;
    const queue = new SpanQueue({
      ...{ send, lost: (spans) => (lost += spans), logger: SILENT_LOGGER, gatherMs: 1, hungMs: 20 },
    });
    return { queue, lost: () => lost };
  };

  it('sends what comes together in one request, and the rest of a large batch after it', async () => {
    const sizes: number[] = [];
    const { queue, lost } = setup((spans) => Promise.resolve(void sizes.push(spans.length)));
    for (let i = 0; i < 3; i++) queue.take([span()]);
    await until('the first request', () => sizes.length === 1);
    queue.take(Array.from({ length: 700 }, () => span()));
    await until('the others', () => sizes.length === 3);
    await queue.close(1_000);
    expect([sizes, lost()]).toEqual([[3, 512, 188], 0]);
  });

  it.each([
    ['fails', () => Promise.reject(new Error('refused'))],
    [
      'throws',
      () => {
        throw new Error('no exporter');
      },
    ],
    ['hangs', () => new Promise<void>(() => undefined)],
  ])('counts what is lost when the receiver %s, and goes on', async (_, fault) => {
    let calls = 0;
    const { queue, lost } = setup(() => (calls++ === 0 ? fault() : Promise.resolve()));
    queue.take([span(), span()]);
    await until('the loss', () => lost() === 2);
    queue.take([span()]);
    await until('the next request', () => calls === 2);
    await queue.close(1_000);
    expect(lost()).toBe(2);
  });

  it('holds no more than it may while the receiver hangs, and ends in time', async () => {
    const { queue, lost } = setup(() => new Promise(() => undefined));
    const hundred = Array.from({ length: 100 }, () => span());
    for (let i = 0; i < 100; i++) queue.take(hundred);
    // 512 are on their way, and 8,192 wait, in hundreds.
    expect(lost()).toBeGreaterThanOrEqual(10_000 - 512 - 8_192);
    await queue.close(1);
    expect(lost()).toBe(10_000);
  });
});
