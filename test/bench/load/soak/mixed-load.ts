import { setTimeout as pause } from 'node:timers/promises';
import type { Journal } from './journal.js';
import { RestClient } from './rest-client.js';
import { NAMED, SoakDevice, type MqttVersion } from './soak-device.js';
import { SoakReader } from './soak-reader.js';

/** Of 100 requests; the names are the doors of the figures. */
const MIX = {
  'MQTT 3.1.1 update': 18,
  'MQTT 5 update': 17,
  'MQTT 3.1.1 get': 15,
  'MQTT 5 get': 15,
  'MQTT delete': 3,
  'REST GET': 19,
  'REST POST': 5,
  'REST PATCH': 5,
  'REST delete': 3,
} as const;
type Kind = keyof typeof MIX;

/** Of the requests of `MIX`, those that change a shadow. */
export const WRITE_SHARE = 0.51;

/** Kinds of 100 requests in a row, so mixed that neighbours differ: the step is a prime. */
const TURNS: readonly Kind[] = (() => {
  const sorted = (Object.keys(MIX) as Kind[]).flatMap((kind) => Array.from({ length: MIX[kind] }, () => kind));
  return sorted.map((_, i) => sorted[(i * 37) % sorted.length] as Kind);
})();
/** One in so many requests is for a named shadow. */
const NAMED_ONE_IN = 4;
/** Milliseconds for the last changes to reach their readers. */
const LATE_MS = 10_000;
const AT_ONCE = 50;

export interface MixedLoadOptions {
  readonly mqttPort: number;
  readonly httpPort: number;
  /** Half of them speak MQTT 3.1.1, half of them MQTT 5. */
  readonly devices: number;
  /** Streams of one thing over server-sent events, and as many over WebSocket; with each kind one of all things. */
  readonly readers: number;
}

/** Devices, applications and readers of streams at one node. */
export class MixedLoad {
  readonly #rest: RestClient;
  readonly #devices: SoakDevice[] = [];
  readonly #readers: SoakReader[] = [];
  /** Updates with a token that were accepted, by thing. */
  readonly #written = new Map<string, number>();

  private constructor(
    private readonly journal: Journal,
    { httpPort }: MixedLoadOptions,
  ) {
    this.#rest = new RestClient(httpPort);
  }

  static async open(journal: Journal, options: MixedLoadOptions): Promise<MixedLoad> {
    const load = new MixedLoad(journal, options);
    await load.#connect(options);
    // What is read must be there.
    for (let i = 0; i < options.devices; i += AT_ONCE) {
      const some = load.#devices.slice(i, i + AT_ONCE);
      await Promise.all(some.flatMap((device) => [null, NAMED].map((name) => device.update(0, name))));
    }
    await load.#follow(options);
    return load;
  }

  /** Makes request `n`; whether it failed is in the journal. */
  async request(n: number, dueAt: number): Promise<void> {
    const kind = TURNS[n % TURNS.length] as Kind;
    try {
      const written = await this.#make(kind, n, dueAt);
      this.journal.done(kind, dueAt);
      if (written !== null) this.#written.set(written, (this.#written.get(written) ?? 0) + 1);
    } catch (error) {
      this.journal.failed(kind, error);
    }
  }

  /** Waits until the readers have every change; those that they lack have failed. */
  async settle(): Promise<void> {
    const missing = (): number => this.#readers.reduce((sum, reader) => sum + this.#missing(reader), 0);
    const deadline = performance.now() + LATE_MS;
    while (missing() > 0 && performance.now() < deadline) await pause(20);
    if (missing() > 0) this.journal.failed('streams', 'changes that a reader was not told', missing());
  }

  end(): void {
    for (const reader of this.#readers) reader.end();
    for (const device of this.#devices) device.end();
    this.#rest.end();
  }

  async #connect({ mqttPort, devices }: MixedLoadOptions): Promise<void> {
    for (let i = 0; i < devices; i += AT_ONCE) {
      const some = Array.from({ length: Math.min(AT_ONCE, devices - i) }, (_, k) => {
        // The first half are of 3.1.1.
        const version: MqttVersion = i + k < devices / 2 ? 4 : 5;
        return SoakDevice.connect(mqttPort, version, `soak-${i + k}`, {
          delta: (dueAt) => this.journal.done('MQTT delta', dueAt),
          closed: () => this.journal.failed('MQTT', 'a connection ended'),
        });
      });
      this.#devices.push(...(await Promise.all(some)));
    }
  }

  async #follow({ httpPort, readers }: MixedLoadOptions): Promise<void> {
    const hearer = (door: string): { told(dueAt: number): void; ended(reason: string): void } => ({
      told: (dueAt) => this.journal.done(door, dueAt),
      ended: (reason) => this.journal.failed(door, reason),
    });
    for (let i = 0; i <= readers; i++) {
      const thing = (shift: number): string | null => (i === readers ? null : this.#device(i * 2 + shift).thing);
      this.#readers.push(await SoakReader.overEvents(httpPort, thing(0), hearer('SSE')));
      this.#readers.push(await SoakReader.overWebSocket(httpPort, thing(1), hearer('WebSocket')));
    }
  }

  /** @returns the thing of a change that readers can tell by its token */
  async #make(kind: Kind, n: number, dueAt: number): Promise<string | null> {
    const name = n % NAMED_ONE_IN === 0 ? NAMED : null;
    const device = this.#deviceFor(kind, n);
    const { thing } = device;
    switch (kind) {
      case 'MQTT 3.1.1 update':
      case 'MQTT 5 update':
        await device.update(dueAt, name);
        return thing;
      case 'MQTT 3.1.1 get':
      case 'MQTT 5 get':
        await device.get(dueAt, name);
        return null;
      case 'MQTT delete':
        return (await device.comeOrGo(dueAt)) === 'come' ? thing : null;
      case 'REST GET':
        await this.#rest.get(thing, name);
        return null;
      case 'REST POST':
        await this.#rest.post(dueAt, thing, name);
        return thing;
      case 'REST PATCH':
        await this.#rest.patch(dueAt, thing, name);
        return thing;
      case 'REST delete':
        return (await this.#rest.comeOrGo(dueAt, thing)) === 'come' ? thing : null;
    }
  }

  #deviceFor(kind: Kind, n: number): SoakDevice {
    const half = this.#devices.length / 2;
    // One further in each round, so that no kind of request stays with some of them.
    const place = (n + Math.floor(n / TURNS.length)) % this.#devices.length;
    if (kind.startsWith('MQTT 3')) return this.#device(place % half);
    if (kind.startsWith('MQTT 5')) return this.#device(half + (place % half));
    return this.#device(place);
  }

  #device(i: number): SoakDevice {
    return this.#devices[i % this.#devices.length] as SoakDevice;
  }

  #missing({ thing, told }: SoakReader): number {
    const written =
      thing === null ? [...this.#written.values()].reduce((a, b) => a + b, 0) : (this.#written.get(thing) ?? 0);
    return Math.max(0, written - told);
  }
}
