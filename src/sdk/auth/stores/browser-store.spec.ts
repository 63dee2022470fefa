import { ManualClock } from '../../testing/manual-clock.js';
import type { UmbraError } from '../../umbra-error.js';
import { browserStore } from './browser-store.js';

/** Web Locks of one origin: one holder of a name at a time, until what its task returns has settled. */
function webLocks() {
  const turns = new Map<string, Promise<unknown>>();
  return {
    async request<T>(name: string, { signal }: { signal: AbortSignal }, task: () => Promise<T>): Promise<T> {
      const before = turns.get(name) ?? Promise.resolve();
      const given = new Promise<void>((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
        void before.then(() => resolve());
      });
      const held = given.then(task);
      turns.set(name, Promise.allSettled([before, held]));
      return held;
    },
  };
}

const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
beforeEach(
  () => void Object.defineProperty(globalThis, 'navigator', { value: { locks: webLocks() }, configurable: true }),
);
afterEach(() => {
  if (before) Object.defineProperty(globalThis, 'navigator', before);
  else Reflect.deleteProperty(globalThis, 'navigator');
});

const codeOf = ({ code }: UmbraError): string => code;

it('a task that never ends gives its lock back, before the other tabs give up', async () => {
  const clock = new ManualClock();
  const [one, other] = [browserStore('umbra', { clock }), browserStore('umbra', { clock })];
  const stuck = one.lock('session', () => new Promise<string>(() => undefined)).catch(codeOf);
  const next = other.lock('session', () => Promise.resolve(clock.monotonic()));
  await clock.advance(60_000);
  expect([await stuck, await next, clock.timers]).toEqual(['timeout', 60_000, 0]);
});

it('a wait for a lock that is held again and again ends', async () => {
  const clock = new ManualClock();
  const store = browserStore('umbra', { clock });
  for (let n = 0; n < 2; n++) store.lock('session', () => new Promise<string>(() => undefined)).catch(codeOf);
  const last = store.lock('session', () => Promise.resolve('done')).catch(codeOf);
  await clock.advance(90_000);
  expect(await last).toBe('timeout');
});
