import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type * as DeviceLibrary from '../../../../src/sdk/device/index.js';
import { shadowId } from '../../model/history.js';
import type { Random } from '../../plans/random.js';
import type { Calls } from './calls.js';
import type { CountingClock } from './own-leaks.js';
import { SHADOWS, SLOTS, type LampSpec } from './spec.js';

export interface Surroundings {
  readonly library: typeof DeviceLibrary;
  readonly calls: Calls;
  readonly clock: CountingClock;
  readonly logger: NonNullable<DeviceLibrary.DeviceOptions['logger']>;
  /** Given to every call, and never aborted. */
  readonly signal: AbortSignal;
  readonly random: Random;
  readonly outboxes: string | null;
}

/** Milliseconds of a device object, until it is closed and there is another one. */
const LIFE_MS = [8_000, 60_000] as const;
/** Milliseconds between two reports of a shadow; some come at once. */
const BETWEEN_MS = [0, 700] as const;
/** Milliseconds that callers wait. */
const LIMITS_MS = [1_500, 8_000, 30_000] as const;
/** What `close` may take: five seconds for reports, one for the goodbye, five for the outbox. */
const CLOSE_MS = 11_000;
const QUICK = { firstMs: 100, longestMs: 2_000 };
const ANSWER_MS = 4_000;

/** A thing that obeys, and reports numbers that tell which of its reports were stored, and in which order. */
export class Lamp {
  #device: DeviceLibrary.Device | null = null;
  #devices = 0;
  #isResting = false;
  #done: Promise<void> = Promise.resolve();
  readonly #next: Map<string, number>;
  readonly #stop = new AbortController();
  #connects = 0;
  #reads = 0;

  constructor(
    private readonly spec: LampSpec,
    private readonly parts: Surroundings,
  ) {
    this.#next = new Map(Object.entries(spec.next));
  }

  start(): void {
    this.#done = this.#live();
  }

  /** No new reports. */
  rest(): void {
    this.#isResting = true;
    this.#stop.abort();
  }

  async leave(): Promise<void> {
    await this.#done;
    if (this.#device) await this.#close(this.#device);
  }

  async #live(): Promise<void> {
    const { random } = this.parts;
    while (!this.#isResting) {
      const device = await this.#connect();
      if (!device) continue;
      this.#device = device;
      const until = performance.now() + random.int(...LIFE_MS);
      await Promise.all(SHADOWS.map((name) => this.#use(device, name, until)));
      if (this.#isResting) return;
      this.#device = null;
      await this.#close(device);
    }
  }

  async #connect(): Promise<DeviceLibrary.Device | undefined> {
    const { library, calls, clock, logger, random, signal, outboxes } = this.parts;
    const { thing, url, protocolVersion, sessionSeconds, maxWaiting } = this.spec;
    const timeoutMs = random.pick(LIMITS_MS);
    const n = ++this.#connects;
    const limitMs = timeoutMs;
    return calls.run({ kind: 'connect', shadow: this.#id, n, limitMs, device: ++this.#devices }, () =>
      library.connect({
        ...{ thing, url, protocolVersion, sessionSeconds, maxWaiting, clock, logger, timeoutMs, signal },
        ...{ background: random.next() < 0.5, reconnect: QUICK, retry: QUICK, answerMs: ANSWER_MS },
        ...(outboxes !== null && { outbox: library.fileOutbox(join(outboxes, thing)) }),
      }),
    );
  }

  async #close(device: DeviceLibrary.Device): Promise<void> {
    const about = { kind: 'close', shadow: this.#id, n: this.#connects, limitMs: CLOSE_MS } as const;
    await this.parts.calls.run({ ...about, device: this.#devices }, () => device.close());
  }

  async #use(device: DeviceLibrary.Device, name: string | null, until: number): Promise<void> {
    const { random } = this.parts;
    const shadow = name === null ? device.shadow : device.named(name);
    const id = shadowId(this.spec.thing, name);
    const number = this.#devices;
    const obey = this.#handler(id, number);
    let remove = shadow.onDelta(obey);
    const unlisten = shadow.onDocuments(() => undefined);
    while (!this.#isResting && performance.now() < until) {
      this.#report(shadow, id, number);
      if (random.next() < 0.05) this.#read(shadow, number);
      if (random.next() < 0.02) {
        remove();
        remove = shadow.onDelta(obey);
      }
      if (random.next() < 0.7)
        await pause(random.int(...BETWEEN_MS), undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
    unlisten();
    // A device that rests still obeys; closing ends the handler of the others.
  }

  #handler(id: string, device: number): DeviceLibrary.DeltaHandler<object, object> {
    const { calls, random } = this.parts;
    return async (delta, { version, signal }) => {
      calls.tell({ type: 'run', shadow: id, device, version });
      await pause(random.int(0, 150), undefined, { signal });
      if (random.next() < 0.05) throw new Error('the lamp jams');
      return delta;
    };
  }

  #report(shadow: DeviceLibrary.DeviceShadow, id: string, device: number): void {
    const { calls, random, signal } = this.parts;
    const n = this.#next.get(id) ?? 1;
    this.#next.set(id, n + 1);
    const timeoutMs = random.pick(LIMITS_MS);
    const isBad = random.next() < 0.01;
    const patch = { ...reportOf(n, random), ...(isBad && { deep: DEEP }) };
    const about = { kind: 'report', shadow: id, n, limitMs: timeoutMs, device, isBad } as const;
    void calls.run(about, () => shadow.report(patch, { timeoutMs, signal }));
  }

  #read(shadow: DeviceLibrary.DeviceShadow, device: number): void {
    const { calls, random, signal } = this.parts;
    const timeoutMs = random.pick(LIMITS_MS);
    const about = { kind: 'read', shadow: this.#id, n: ++this.#reads, limitMs: timeoutMs, device } as const;
    void calls.run(about, () => shadow.get({ timeoutMs, signal }));
  }

  /** Of calls that are of no shadow; numbers of another start of the process are others. */
  get #id(): string {
    return `${this.spec.thing} of ${process.pid}`;
  }
}

/** More levels than a document may have. */
const DEEP = { a: { a: { a: { a: { a: { a: { a: { a: { a: 1 } } } } } } } } };

/** Its number, and sometimes what cannot be merged with the next one, or makes much of what waits. */
function reportOf(n: number, random: Random): Record<string, unknown> {
  const number = { marks: { [`m${n % SLOTS}`]: n } };
  switch (random.int(0, 9)) {
    case 0:
      return { ...number, net: null };
    case 1:
      return { ...number, net: { rssi: -random.int(30, 90) } };
    case 2:
      return { ...number, text: 'x'.repeat(random.int(0, 300)) };
    default:
      return number;
  }
}
