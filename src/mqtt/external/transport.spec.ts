import { SYSTEM_CLOCK } from '../../resilience/clock.js';
import { loadConfig } from '../../config/load-config.js';
import { ServiceError } from '../../errors/service-error.js';
import { SILENT_LOGGER } from '../../telemetry/logger.js';
import type { ExternalCoordinator } from './coordinator.js';
import type { ExternalHandler } from './lane-worker.js';
import { ExternalTransport } from './transport.js';
import type { MqttHandler, MqttRequest } from '../mqtt-request.js';
import { RequestAnswerer } from '../request-answerer.js';
import { OPERATIONS } from '../topics.js';
import type { RequestOptions } from '../../store/shadow-store.js';
import { until } from '../../../test/harness/until.js';

const FENCE = { claim: 'claims/consume/0', revision: 7 };

/** The transport with one handler for everything, and no broker. */
function setup(
  answer: (payload: string) => Promise<ServiceError | undefined>,
  see: (options: RequestOptions) => void = () => undefined,
) {
  const published: string[] = [];
  /** What ends the wait of each published message. */
  const overs: (AbortSignal | undefined)[] = [];
  let handle: ExternalHandler = () => Promise.reject(new Error('not started'));
  const external = {
    start: (handler: ExternalHandler) => (handle = handler),
    stop: () => Promise.resolve(),
    committed: () => undefined,
    publisher: {
      publish: (topic: string, _payload: string, over?: AbortSignal) => {
        overs.push(over);
        return Promise.resolve(void published.push(topic));
      },
    },
  } as unknown as ExternalCoordinator;
  const config = loadConfig({ UMBRA_BROKER_URL: 'mqtt://127.0.0.1' });
  let asked = 0;
  const handler: MqttHandler = async (request) => {
    asked++;
    see(request);
    const error = await answer(request.payload.toString());
    if (error) throw error;
    return { position: { cluster: 'c', epoch: 0, revision: 1 } };
  };
  const handlers = { byOperation: () => new Map(OPERATIONS.map((operation) => [operation, handler])) };
  const answerer = new RequestAnswerer(config, SYSTEM_CLOCK, SILENT_LOGGER, handlers);
  const transport = new ExternalTransport(config, SILENT_LOGGER, external, answerer);
  transport.listen(() => undefined);
  const lane = new AbortController();
  const held = { now: true };
  const send = (payload = '{}', thing = 't1', qos = 1): ReturnType<ExternalHandler> =>
    handle(0, {
      topic: `$aws/things/${thing}/shadow/update`,
      payload: Buffer.from(payload),
      qos,
      claim: { fence: FENCE, holds: () => held.now },
      over: lane.signal,
    });
  return { transport, lane, held, published, overs, asked: () => asked, send };
}

const UNKNOWN = new ServiceError('outcomeUnknown');
const AWAY = new ServiceError('storageUnavailable');

it('acts as a principal of its own, which every change carries', async () => {
  let id = '';
  const { send } = setup(
    () => Promise.resolve(undefined),
    (request) => (id = (request as MqttRequest).principal.id),
  );
  expect(await send()).toBe('done');
  expect(id).toBe('external-broker');
});

describe('a request of unknown outcome', () => {
  it('is carried out again until it is known', async () => {
    let times = 0;
    const { asked, send } = setup(() => Promise.resolve(++times < 3 ? UNKNOWN : undefined));
    expect(await send()).toBe('done');
    expect(asked()).toBe(3);
  });

  it('is left to the next owner of the lane when this one has lost it', async () => {
    const { asked, lane, send } = setup(() => Promise.resolve(UNKNOWN));
    const outcome = send();
    await until('asked', () => asked() >= 2);
    lane.abort();
    expect(await outcome).toBe('unanswered');
    const before = asked();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(asked()).toBe(before);
  });

  it('does not hold up a drain with the pause before its next try', async () => {
    const { asked, transport, send } = setup(() => Promise.resolve(UNKNOWN));
    const outcome = send();
    await until('the pauses have grown', () => asked() >= 4);
    const start = performance.now();
    await transport.drain();
    expect(await outcome).toBe('unanswered');
    expect(performance.now() - start).toBeLessThan(300);
  });
});

describe('a request that cannot be carried out now', () => {
  it.each(['storageUnavailable', 'tooManyRequests'] as const)('waits until it can be: %s', async (code) => {
    let times = 0;
    const { asked, published, send } = setup(() => Promise.resolve(++times < 3 ? new ServiceError(code) : undefined));
    expect(await send()).toBe('done');
    expect(asked()).toBe(3);
    expect(published).toEqual([]);
  });

  it('is refused when nobody would send it again, with QoS 0', async () => {
    const { asked, published, send } = setup(() => Promise.resolve(AWAY));
    expect(await send('{}', 't1', 0)).toBe('done');
    expect(asked()).toBe(1);
    expect(published).toEqual(['$aws/things/t1/shadow/update/rejected']);
  });

  it('is refused when waiting does not help', async () => {
    const { asked, published, send } = setup(() => Promise.resolve(new ServiceError('versionConflict')));
    expect(await send()).toBe('done');
    expect(asked()).toBe(1);
    expect(published).toEqual(['$aws/things/t1/shadow/update/rejected']);
  });

  it('is not overtaken by a later one of its shadow, and holds up no other', async () => {
    const order: string[] = [];
    let away = true;
    const { send } = setup((payload) => {
      if (payload === '1' && away) return Promise.resolve(AWAY);
      order.push(payload);
      return Promise.resolve(undefined);
    });
    const first = send('1');
    const second = send('2');
    expect(await send('3', 't2')).toBe('done');
    expect(order).toEqual(['3']);
    away = false;
    expect(await Promise.all([first, second])).toEqual(['done', 'done']);
    expect(order).toEqual(['3', '1', '2']);
  });
});

it('answers nothing in the name of a lane that another node serves by now', async () => {
  let release: (error: ServiceError) => void = () => undefined;
  const { asked, lane, published, send } = setup(() => new Promise((resolve) => (release = resolve)));
  const outcome = send();
  await until('asked', () => asked() === 1);
  lane.abort();
  release(AWAY);
  expect(await outcome).toBe('unanswered');
  expect(published).toEqual([]);
});

it('lets no answer wait longer than its lane, unless nobody would send the request again', async () => {
  const { lane, overs, send } = setup(() => Promise.resolve(new ServiceError('versionConflict')));
  await send();
  await send('{}', 't1', 0);
  expect(overs).toEqual([lane.signal, undefined]);
});

describe('a lane that another node may hold by now', () => {
  const FENCED = new ServiceError('fenced');

  it('is left with a request whose write was fenced: no answer, and no second try once the lease has ended', async () => {
    const { asked, held, published, send } = setup(() => {
      held.now = false;
      return Promise.resolve(FENCED);
    });
    expect(await send()).toBe('unanswered');
    expect(asked()).toBe(1);
    expect(published).toEqual([]);
  });

  it('is left with a request that was read late: no first try', async () => {
    const { asked, held, published, send } = setup(() => Promise.resolve(undefined));
    held.now = false;
    expect(await send()).toBe('unanswered');
    expect(asked()).toBe(0);
    expect(published).toEqual([]);
  });

  it('gives each write the fence of its claim, and the signal of its loss', async () => {
    const seen: Partial<RequestOptions>[] = [];
    const { lane, send } = setup(
      () => Promise.resolve(undefined),
      (options) => seen.push(options),
    );
    expect(await send()).toBe('done');
    expect(seen).toMatchObject([{ fence: FENCE, signal: lane.signal }]);
  });
});
