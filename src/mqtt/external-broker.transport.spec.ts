import { SYSTEM_CLOCK } from '../config/clock.js';
import { loadConfig } from '../config/load-config.js';
import { ShadowError } from '../document/shadow-error.js';
import { SILENT_LOGGER } from '../telemetry/logger.js';
import type { ExternalBroker, ExternalHandler } from './external-broker.js';
import { ExternalBrokerTransport } from './external-broker.transport.js';
import { Refused, requestPatterns, type Refusal } from './mqtt-request.js';
import { OPERATIONS } from './topics.js';
import { until } from '../../test/harness/until.js';

/** The transport with one handler for everything, and no broker. */
function setup(answer: () => Promise<Refusal | undefined>) {
  const published: string[] = [];
  let handle: ExternalHandler = () => Promise.reject(new Error('not started'));
  const external = {
    start: (handler: ExternalHandler) => (handle = handler),
    stop: () => Promise.resolve(),
    committed: () => undefined,
    publisher: { publish: (topic: string) => Promise.resolve(void published.push(topic)) },
  } as unknown as ExternalBroker;
  const config = loadConfig({ UMBRA_BROKER_URL: 'mqtt://127.0.0.1' });
  const transport = new ExternalBrokerTransport(config, SYSTEM_CLOCK, SILENT_LOGGER, external);
  let asked = 0;
  for (const pattern of OPERATIONS.flatMap(requestPatterns))
    transport.addHandler(pattern, async () => {
      asked++;
      const refusal = await answer();
      return refusal && new Refused(refusal);
    });
  transport.listen(() => undefined);
  const lane = new AbortController();
  const request = { topic: '$aws/things/t1/shadow/update', payload: Buffer.from('{}'), qos: 1, over: lane.signal };
  return { transport, lane, published, asked: () => asked, send: () => handle(0, request) };
}

const UNKNOWN: Refusal = { kind: 'unknown' };
const AWAY: Refusal = { kind: 'rejected', error: new ShadowError('storageUnavailable') };

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

it('answers nothing in the name of a lane that another node serves by now', async () => {
  let release: (refusal: Refusal) => void = () => undefined;
  const { asked, lane, published, send } = setup(() => new Promise((resolve) => (release = resolve)));
  const outcome = send();
  await until('asked', () => asked() === 1);
  lane.abort();
  release(AWAY);
  expect(await outcome).toBe('unanswered');
  expect(published).toEqual([]);
});
