import { connectMany, topicBytes, type Device } from './mqtt-device.js';
import type { Load, Sample } from './sample.js';
import { WindowClock } from './window.js';

const PUBACK = 1;
const ACCEPTED = 2;
const DONE = PUBACK | ACCEPTED;
const D = 'd'.charCodeAt(0);

/** One device: at most one update under way; it is done when PUBACK and accepted are there. */
interface Updater {
  readonly device: Device;
  readonly topic: Buffer;
  readonly name: string;
  count: number;
  state: number;
  startedAt: number;
}

export interface UpdateLoadOptions {
  readonly ports: readonly number[];
  readonly devices: number;
  readonly prefix: string;
}

const reading = (name: string, n: number): string =>
  `{"state":{"reported":{"count":${n},"temperature":${20 + (n % 50) / 10},"humidity":41,"door":"closed","online":true,"firmware":"1.4.2","signal":-67}},"clientToken":"${name}-${n}"}`;

/** Devices that update their own shadow as fast as they get answers; every tenth has a standing delta. */
export class UpdateLoad implements Load {
  readonly #clock = new WindowClock();
  #running = false;
  #failure: Error | null = null;

  private constructor(private readonly updaters: readonly Updater[]) {}

  static async open({ ports, devices, prefix }: UpdateLoadOptions): Promise<UpdateLoad> {
    const connected = await connectMany(ports, devices, prefix);
    const load = new UpdateLoad(
      connected.map((device, i) => {
        const name = `${prefix}-${i}`;
        const topic = topicBytes(`$aws/things/${name}/shadow/update`);
        return { device, topic, name, count: 0, state: DONE, startedAt: 0 };
      }),
    );
    for (const updater of load.updaters) {
      const base = `$aws/things/${updater.name}/shadow/update`;
      await updater.device.subscribe(`${base}/accepted`, `${base}/rejected`, `${base}/delta`);
      load.#listen(updater);
    }
    await load.#want();
    return load;
  }

  /** @param seconds length of the window that counts; some warming comes before it */
  async run(seconds: number): Promise<Sample> {
    this.#running = true;
    for (const updater of this.updaters) this.#next(updater);
    const sample = await this.#clock.measure(seconds, this.updaters.length);
    this.#running = false;
    await this.#quiet();
    return sample;
  }

  end(): void {
    for (const { device } of this.updaters) device.end();
  }

  /** The standing delta: a desired value that nobody reports. */
  async #want(): Promise<void> {
    for (const [i, updater] of this.updaters.entries()) {
      if (i % 10 !== 0) continue;
      updater.state = 0;
      updater.device.publish(updater.topic, 1, '{"state":{"desired":{"mode":"eco"}}}');
    }
    await this.#quiet();
  }

  #listen(updater: Updater): void {
    updater.device.onPuback = () => this.#took(updater, PUBACK);
    updater.device.onMessage = (tail, packet, at) => {
      // accepted and rejecte_d_ end alike; only one begins its payload with the code.
      if (tail !== D) return;
      if (packet.toString('latin1', at, at + 7) === '{"code"') this.#failure = new Error(packet.toString('utf8', at));
      this.#took(updater, ACCEPTED);
    };
    updater.device.onEnd = (reason) => (this.#failure = new Error(`${updater.name}: ${reason}`));
  }

  #took(updater: Updater, part: number): void {
    if (updater.state === DONE) return;
    updater.state |= part;
    if (updater.state !== DONE) return;
    this.#clock.done(updater.startedAt);
    if (this.#running) this.#next(updater);
  }

  #next(updater: Updater): void {
    updater.state = 0;
    updater.count++;
    updater.startedAt = performance.now();
    updater.device.publish(updater.topic, (updater.count % 65_535) + 1, reading(updater.name, updater.count));
  }

  async #quiet(): Promise<void> {
    const deadline = Date.now() + 35_000;
    while (this.updaters.some(({ state }) => state !== DONE)) {
      if (this.#failure) throw this.#failure;
      if (Date.now() > deadline) throw new Error('updates without an answer');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    if (this.#failure) throw this.#failure;
  }
}
