import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { propagateContexts, RecordedTelemetry } from '../../../test/harness/recorded-telemetry.js';
import { busy, HOUR, oauthError, TokenService, URL } from '../../../test/harness/token-service.js';
import { bearer } from '../auth/bearer.js';
import { scriptedFetch } from '../testing/scripted-fetch.js';
import { clientError } from '../umbra-error.js';
import { Umbra } from '../umbra.js';
import { telemetry, type Telemetry } from './telemetry.js';

const SECRET = 'umk_secret';
let recorded: RecordedTelemetry;
let seen: Telemetry;
let service: TokenService;
let stop: () => void;

beforeEach(() => {
  stop = propagateContexts();
  recorded = new RecordedTelemetry();
  service = new TokenService();
  seen = telemetry({ tracer: recorded.tracer, meter: recorded.meter, clock: service.clock });
});
afterEach(() => stop());

const parent = (spanId: string): string => `00-0af7651916cd43dd8448eb211c80319c-${spanId}-01`;

describe('calls', () => {
  const state = { version: 3, revision: 9, state: {}, metadata: {} };
  /** A client whose node answers like this. */
  const client = (...answers: (() => Response)[]) => {
    const fetch = scriptedFetch((_, index) => answers[Math.min(index, answers.length - 1)]!());
    const umbra = new Umbra({ url: URL, fetch, auth: bearer(SECRET), clock: service.clock, random: () => 0 });
    return { fetch, umbra: seen.use(umbra) };
  };

  it('have a span and a time each, whatever their attempts, and say which trace they belong to', async () => {
    const { umbra, fetch } = client(
      () => new Response('', { status: 503 }),
      () => Response.json(state),
    );
    const written = umbra.thing('lamp-1').shadow().desired.patch({ on: true });
    await service.clock.advance(1_000);
    await written;
    const [span] = recorded.spans;
    expect(recorded.spans).toHaveLength(1);
    expect(span).toMatchObject({
      ...{ name: 'umbra.shadow.update', options: { kind: SpanKind.CLIENT }, status: null, ends: [undefined] },
      attributes: { 'http.status_code': 200 },
    });
    expect(fetch.sent.map(({ headers }) => headers['traceparent'])).toEqual(Array(2).fill(parent(span!.spanId)));
    expect(recorded.values).toMatchObject([
      {
        instrument: 'umbra.call.duration',
        options: { unit: 's' },
        value: 0.2,
        attributes: { 'umbra.call': 'shadow.update', 'http.status_code': 200 },
      },
    ]);
  });

  it('that fail say their code, and nothing else', async () => {
    const { umbra } = client(() =>
      Response.json({ type: 'urn:umbra:problem:forbidden', detail: 'lamp-1' }, { status: 403 }),
    );
    await expect(umbra.thing('lamp-1').shadow('net').get()).rejects.toMatchObject({ status: 403 });
    const attributes = { 'http.status_code': 403, 'error.type': 'forbidden' };
    expect(recorded.spans).toMatchObject([{ attributes, status: { code: SpanStatusCode.ERROR } }]);
    expect(recorded.values).toMatchObject([{ attributes: { ...attributes, 'umbra.call': 'shadow.get' } }]);
    expect(JSON.stringify([recorded.spans, recorded.values])).not.toMatch(/lamp-1|net"|umk_/);
  });
});

describe('devices', () => {
  it('have the same, and get the context to hand on', async () => {
    const context = await seen.traced('shadow.update', (given) => Promise.resolve(given));
    expect(context).toEqual({ traceparent: parent(recorded.spans[0]!.spanId) });
    const failed = seen.traced('shadow.get', () => Promise.reject(clientError('timeout', 'no answer')));
    await expect(failed).rejects.toMatchObject({ code: 'timeout' });
    expect(recorded.spans).toMatchObject([
      { name: 'umbra.shadow.update', attributes: {}, status: null },
      { name: 'umbra.shadow.get', attributes: { 'error.type': 'timeout' }, status: { code: SpanStatusCode.ERROR } },
    ]);
    expect(recorded.values.map(({ attributes }) => attributes)).toEqual([
      { 'umbra.call': 'shadow.update' },
      { 'umbra.call': 'shadow.get', 'error.type': 'timeout' },
    ]);
  });
});

describe('renewals', () => {
  it('have a span and a time each, with why they were made', async () => {
    const session = service.session();
    const end = seen.session(session);
    await service.token(session);
    await service.after(55 * 60_000, session);
    service.answers = [busy];
    const forced = session.refresh();
    await service.clock.advance(5_000);
    await forced;
    service.answers = [oauthError(401, 'invalid_client', 'AUTH_111')];
    await expect(session.refresh()).rejects.toMatchObject({ code: 'signed-out' });
    end();
    const ok = { 'http.status_code': 200, 'token.ttl_ms': HOUR, 'token.shared': false };
    expect(recorded.spans.map(({ attributes }) => attributes)).toEqual([
      { 'token.refresh_reason': 'first', ...ok },
      { 'token.refresh_reason': 'expiry', ...ok },
      {
        'token.refresh_reason': 'force',
        'token.shared': false,
        'http.status_code': 503,
        'error.type': 'temporarily-unavailable',
      },
      { 'token.refresh_reason': 'force', ...ok },
      {
        'token.refresh_reason': 'force',
        'token.shared': false,
        'http.status_code': 401,
        'error.type': 'invalid-client',
      },
    ]);
    expect(new Set(recorded.spans.map(({ name }) => name))).toEqual(new Set(['token.refresh']));
    expect(recorded.spans.map(({ status }) => status?.code === SpanStatusCode.ERROR)).toEqual([
      ...[false, false, true, false, true],
    ]);
    expect(
      recorded.values.map(({ instrument, attributes }) => [instrument, attributes['token.refresh_reason']]),
    ).toEqual(['first', 'expiry', 'force', 'force', 'force'].map((reason) => ['token.refresh.duration', reason]));
    expect(JSON.stringify([recorded.spans, recorded.values])).not.toMatch(/umk_|T1|T2|dash/);
  });

  it('of a session that nobody follows any more are not seen', async () => {
    const session = service.session();
    seen.session(session)();
    await service.token(session);
    expect([recorded.spans, recorded.values]).toEqual([[], []]);
  });
});

it('does nothing without an SDK', async () => {
  stop();
  const { tracing, metrics, traced } = telemetry();
  expect(await traced('x', (given) => Promise.resolve(given))).toEqual({});
  expect([typeof tracing, typeof metrics]).toEqual(['function', 'function']);
});
