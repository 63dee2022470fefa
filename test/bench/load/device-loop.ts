import { connectMany, topicBytes, type Device, type DeviceTls, type KeyOf } from './mqtt-device.js';
import type { Load, Sample } from './sample.js';
import { WindowClock } from './window.js';

const PUBACK = 1;

/** What every device of a loop says, and what it waits for. */
export interface Conversation {
  readonly qos: 0 | 1;
  /** Bits of the messages that make an answer complete, beside PUBACK, which is bit 1. */
  readonly parts: number;
  topic(name: string): string;
  filters(name: string): readonly string[];
  payload(name: string, n: number): string;
  /** What device `i` says once before the first window; null for nothing. */
  opening(i: number): string | null;
  /**
   * The bit of a message, 0 for one that nobody waits for.
   * @throws Error when it is a refusal
   */
  part(tail: number, packet: Buffer, at: number): number;
}

/** One device: at most one operation under way. */
interface Member {
  readonly device: Device;
  readonly topic: Buffer;
  readonly name: string;
  count: number;
  state: number;
  startedAt: number;
}

export interface DeviceLoopOptions {
  readonly ports: readonly number[];
  readonly devices: number;
  readonly prefix: string;
  readonly tls?: DeviceTls;
  /** Keys of the devices; none: they send no credentials. */
  readonly keyOf?: KeyOf;
}

/** Devices that publish as fast as they get their answers. */
export class DeviceLoop implements Load {
  readonly #clock = new WindowClock();
  readonly #done: number;
  #running = false;
  #failure: Error | null = null;
  #completed = 0;

  private constructor(
    private readonly members: readonly Member[],
    private readonly conversation: Conversation,
  ) {
    this.#done = PUBACK | conversation.parts;
  }

  static async open(conversation: Conversation, options: DeviceLoopOptions): Promise<DeviceLoop> {
    const { ports, devices, prefix, tls, keyOf } = options;
    const connected = await connectMany(ports, devices, prefix, tls, keyOf);
    const members = connected.map((device, i) => {
      const name = `${prefix}-${i}`;
      return { device, topic: topicBytes(conversation.topic(name)), name, count: 0, state: 0, startedAt: 0 };
    });
    const loop = new DeviceLoop(members, conversation);
    for (const member of members) {
      member.state = loop.#done;
      await member.device.subscribeAt(conversation.qos, conversation.filters(member.name));
      loop.#listen(member);
    }
    await loop.#open();
    return loop;
  }

  /** @param seconds length of the window that counts; some warming comes before it */
  async run(seconds: number): Promise<Sample> {
    this.#running = true;
    this.#completed = 0;
    for (const member of this.members) this.#next(member);
    const sample = await this.#clock.measure(seconds, this.members.length);
    this.#running = false;
    await this.#quiet();
    return { ...sample, operations: this.#completed };
  }

  end(): void {
    for (const { device } of this.members) device.end();
  }

  async #open(): Promise<void> {
    for (const [i, member] of this.members.entries()) {
      const opening = this.conversation.opening(i);
      if (opening === null) continue;
      member.state = 0;
      member.device.publish(member.topic, 1, opening);
    }
    await this.#quiet();
  }

  #listen(member: Member): void {
    member.device.onPuback = () => this.#took(member, PUBACK);
    member.device.onMessage = (tail, packet, at) => {
      try {
        this.#took(member, this.conversation.part(tail, packet, at));
      } catch (error) {
        this.#failure = error as Error;
      }
    };
    member.device.onEnd = (reason) => (this.#failure = new Error(`${member.name}: ${reason}`));
  }

  #took(member: Member, part: number): void {
    if (member.state === this.#done) return;
    member.state |= part;
    if (member.state !== this.#done) return;
    this.#completed++;
    this.#clock.done(member.startedAt);
    if (this.#running) this.#next(member);
  }

  #next(member: Member): void {
    member.state = 0;
    member.count++;
    member.startedAt = performance.now();
    const payload = this.conversation.payload(member.name, member.count);
    member.device.publish(member.topic, (member.count % 65_535) + 1, payload);
  }

  async #quiet(): Promise<void> {
    const deadline = Date.now() + 35_000;
    while (this.members.some(({ state }) => state !== this.#done)) {
      if (this.#failure) throw this.#failure;
      if (Date.now() > deadline) throw new Error('publishes without an answer');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    if (this.#failure) throw this.#failure;
  }
}
