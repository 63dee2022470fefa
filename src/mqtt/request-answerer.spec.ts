import { Writable } from 'node:stream';
import { pino } from 'pino';
import { loadConfig } from '../config/load-config.js';
import { ServiceError } from '../errors/service-error.js';
import { SettableClock } from '../../test/harness/clock.js';
import type { MqttHandler, MqttRequest } from './mqtt-request.js';
import type { ReceivedRequest } from './answer.js';
import { NO_SAMPLING, Sampler } from '../telemetry/sampling.js';
import { renderMetrics } from '../telemetry/openmetrics.js';
import type { Span } from '../telemetry/span.js';
import { Tracer } from '../telemetry/tracer.js';
import { RequestAnswerer } from './request-answerer.js';
import { OPERATIONS, parseRequestTopic, type RequestTopic } from './topics.js';

const COMMITTED = { position: { cluster: 'c', epoch: 0, revision: 7 } };

function setup(handler: MqttHandler, rates: readonly number[] = [], maxPerSecond = 9) {
  const lines: Record<string, unknown>[] = [];
  const output = new Writable({
    write(line, _, done) {
      lines.push(JSON.parse(String(line)) as Record<string, unknown>);
      done();
    },
  });
  const clock = new SettableClock();
  const handlers = { byOperation: () => new Map(OPERATIONS.map((operation) => [operation, handler])) };
  const answerer = new RequestAnswerer(loadConfig({}), clock, pino({ level: 'debug' }, output), handlers);
  const spans: Span[] = [];
  if (rates.length > 0) {
    const rules = { ...NO_SAMPLING, rules: rates.map((rate) => ({ rate })), failed: true, maxPerSecond };
    const taker = { take: (more: readonly Span[]) => void spans.push(...more) };
    Object.assign(answerer, { tracer: new Tracer({ sampler: new Sampler(rules, 20_261), clock, taker }) });
  }
  answerer.open();
  return { answerer, lines, clock, spans };
}

function received(topic: string, payload = '{}'): ReceivedRequest {
  const request = parseRequestTopic(topic) as RequestTopic;
  const principal = { id: 'p', tenant: 'default' };
  const key = { tenant: 'default', thing: request.thing, name: request.name };
  return { topic, request, key, payload: Buffer.from(payload), principal, clientId: 'c1' };
}

const UPDATE = '$aws/things/T/shadow/update';
const GET = '$aws/things/T/shadow/name/S/get';
const WITH_TOKEN = '{"clientToken":"tok"}';

describe('a traced request', () => {
  const traceHeaders = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: '' };

  it('goes with its trace to the handler, leaves a span, an exemplar, and its id in the log', async () => {
    let seen: MqttRequest['trace'];
    const { answerer, lines, spans } = setup(
      (request) => {
        seen = request.trace;
        return Promise.resolve(COMMITTED);
      },
      [10_000],
    );
    await answerer.answer({ ...received(UPDATE), traceHeaders });
    const [span] = spans;
    expect(seen?.traceId).toBe('0af7651916cd43dd8448eb211c80319c');
    expect(span).toMatchObject({ name: 'external update', traceId: seen?.traceId, spanId: seen?.spanId });
    expect(span?.attributes).toEqual({
      ...{ 'umbra.door': 'external', 'umbra.operation': 'update', 'umbra.outcome': 'ok', 'umbra.revision': 7 },
      ...{ 'umbra.tenant': 'default', 'umbra.thing': 'T', 'umbra.client_id': 'c1' },
      'umbra.request_id': expect.stringMatching(/-1$/),
    });
    expect(lines).toEqual([expect.objectContaining({ trace_id: seen?.traceId, span_id: seen?.spanId })]);
    expect(renderMetrics(answerer.metrics.families(), 'openmetrics')).toContain(`# {trace_id="${seen?.traceId}"}`);
  });

  it('that failed is kept although it was not sampled', async () => {
    const { answerer, spans } = setup(() => Promise.reject(new Error('defect')), [0]);
    await answerer.answer(received(GET));
    expect(spans.map(({ name, failure }) => [name, failure])).toEqual([['external get', 'internal']]);
    await answerer.answer(received(UPDATE));
    expect(spans[1]).toMatchObject({ failure: 'unknown' });
  });

  it('is one of a hundred, beside every one that failed', async () => {
    let number = 0;
    const handler = (): ReturnType<MqttHandler> =>
      ++number % 1_000 === 0 ? Promise.reject(new Error('defect')) : Promise.resolve(COMMITTED);
    const { answerer, spans } = setup(handler, [100], 1_000);
    for (let i = 0; i < 10_000; i++) await answerer.answer(received(UPDATE));
    const [failed, well] = [true, false].map((is) => spans.filter(({ failure }) => (failure !== null) === is));
    expect(failed).toHaveLength(10);
    expect(well!.length).toBeGreaterThanOrEqual(70);
    expect(well!.length).toBeLessThanOrEqual(130);
  });

  it('is none without a receiver of traces', async () => {
    let seen: MqttRequest['trace'];
    const { answerer } = setup(({ trace }) => {
      seen = trace;
      return Promise.resolve(COMMITTED);
    });
    await answerer.answer({ ...received(UPDATE), traceHeaders });
    expect(seen).toBeNull();
  });
});

describe('RequestAnswerer', () => {
  it('hands the handler one request with key, sender and deadline', async () => {
    const seen: MqttRequest[] = [];
    const { answerer, clock } = setup(
      ({ key, operation, payload, principal, clientId, requestId, deadline, fence }) => {
        seen.push({ key, operation, payload, principal, clientId, requestId, deadline, fence });
        return Promise.resolve(COMMITTED);
      },
    );
    const fence = { claim: 'k', revision: 3 };
    await answerer.answer({ ...received(GET, 'x'), writeOptions: { fence } });
    expect(seen).toEqual([
      {
        key: { tenant: 'default', thing: 'T', name: 'S' },
        operation: 'get',
        payload: Buffer.from('x'),
        principal: { id: 'p', tenant: 'default' },
        clientId: 'c1',
        requestId: expect.stringMatching(/^[0-9a-f]{12}-1$/),
        deadline: clock.monotonic() + loadConfig({}).requestTimeoutMs,
        fence,
      },
    ]);
  });

  it('answers once when the handler settles the outcome itself, at once or later', async () => {
    let settle!: () => void;
    const later = setup((_request, outcome) => void (settle = () => outcome.committed(COMMITTED)));
    const answers: unknown[] = [];
    later.answerer.begin(received(UPDATE), { answered: (answer) => answers.push(answer) });
    expect(answers).toEqual([]);
    settle();
    settle();
    expect(answers).toEqual([{ outcome: 'accepted', message: null, revision: 7 }]);
    const atOnce = setup((_request, outcome) => outcome.failed(new ServiceError('versionConflict'))).answerer;
    expect(await atOnce.answer(received(UPDATE))).toMatchObject({ outcome: 'rejected', code: 'versionConflict' });
  });

  it('gives the body of accepted where the handler has one, and the revision where the feed brings it', async () => {
    const accepted = setup(() => Promise.resolve({ accepted: '{"version":1}' })).answerer;
    const message = { topic: `${GET}/accepted`, text: '{"version":1}' };
    expect(await accepted.answer(received(GET))).toEqual({ outcome: 'accepted', message, revision: 0 });
    const committed = setup(() => Promise.resolve(COMMITTED)).answerer;
    expect(await committed.answer(received(UPDATE))).toEqual({ outcome: 'accepted', message: null, revision: 7 });
  });

  it('rejects with the row of the error table and the client token of the request', async () => {
    const { answerer } = setup(() => Promise.reject(new ServiceError('versionConflict')));
    const text = '{"code":409,"message":"Version conflict","clientToken":"tok"}';
    const message = { topic: `${UPDATE}/rejected`, text };
    const expected = { outcome: 'rejected', code: 'versionConflict', message };
    expect(await answerer.answer(received(UPDATE, WITH_TOKEN))).toEqual(expected);
  });

  it.each([
    ['no JSON', '{"clientToken":"tok"'],
    ['a token that is none', '{"clientToken":5}'],
  ])('rejects without a token where there is none to read: %s', async (_, payload) => {
    const { answerer } = setup(() => Promise.reject(new ServiceError('invalidJson')));
    const answer = await answerer.answer(received(UPDATE, payload));
    expect(answer).toMatchObject({ outcome: 'rejected' });
    expect(JSON.stringify(answer)).not.toContain('clientToken');
  });

  it('asks no handler about a bad name, and still finds the token', async () => {
    let asked = 0;
    const { answerer } = setup(() => Promise.resolve((asked++, COMMITTED)));
    const topic = '$aws/things/T x/shadow/get';
    const answer = await answerer.answer(received(topic, WITH_TOKEN));
    expect(answer).toMatchObject({
      code: 'invalidThingName',
      message: { text: expect.stringMatching(/^{"code":400,.*"clientToken":"tok"}$/) },
    });
    expect(asked).toBe(0);
  });

  it('gives no message for a topic that would be too long', async () => {
    const topic = `$aws/things/${'x'.repeat(228)}/shadow/update`;
    const { answerer } = setup(() => Promise.resolve(COMMITTED));
    expect(await answerer.answer(received(topic))).toEqual({
      outcome: 'rejected',
      code: 'invalidThingName',
      message: null,
    });
  });

  describe('with an error that is no ServiceError', () => {
    const broken = new Error('broken');
    const throwing: MqttHandler = () => {
      throw broken;
    };
    const rejecting: MqttHandler = () => Promise.reject(broken);

    it('rejects a request that was not parsed yet', async () => {
      const { answerer, lines } = setup(throwing);
      expect(await answerer.answer(received(UPDATE))).toMatchObject({ outcome: 'rejected', code: 'internal' });
      expect(lines).toMatchObject([{ msg: 'request failed', thing: 'T' }, { outcome: 'rejected' }]);
    });

    it('leaves the outcome of a change unknown', async () => {
      const { answerer, lines } = setup(rejecting);
      expect(await answerer.answer(received(UPDATE))).toEqual({ outcome: 'unknown' });
      expect(lines).toMatchObject([{ msg: 'request failed' }, { outcome: 'unknown' }]);
    });

    it('rejects a get, which changes nothing', async () => {
      const { answerer } = setup(rejecting);
      expect(await answerer.answer(received(GET))).toMatchObject({ outcome: 'rejected', code: 'internal' });
    });
  });

  it('leaves one debug line per request, without payload', async () => {
    const { answerer, lines, clock } = setup(() => {
      // Not halfway between two hundredths: the difference of two readings may be off by the last bit.
      clock.advance(12.344);
      return Promise.resolve(COMMITTED);
    });
    await answerer.answer(received(UPDATE, '{"state":{"desired":{"secret":1}}}'));
    answerer.reject(received(GET), new ServiceError('draining'));
    expect(lines).toMatchObject([
      { level: 20, msg: 'mqtt request', clientId: 'c1', topic: UPDATE, outcome: 'accepted', ms: 12.34 },
      { level: 20, msg: 'mqtt request', clientId: 'c1', topic: GET, outcome: 'rejected', code: 'draining', ms: 0 },
    ]);
    expect(new Set(lines.map(({ requestId }) => requestId)).size).toBe(2);
    expect(JSON.stringify(lines)).not.toContain('secret');
  });
});
