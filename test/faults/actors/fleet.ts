import type { History } from '../model/history.js';
import type { Topology } from '../topology.js';
import { Device } from './mqtt-actors.js';
import { readOverHttp } from './rest-caller.js';
import { BOUND_MS } from './traffic.js';
import { Watcher } from './watcher.js';

/** Devices that are started at once. */
const BATCH = 25;
/** Shadows that are read at once. */
const READ_AT_ONCE = 16;

/** When connections of the fleet began, in milliseconds of the lab's clock. */
export interface Comings {
  readonly begins: number[];
  /** Milliseconds from the end of a connection to the next one with its subscriptions. */
  readonly silences: number[];
}

/** A device behind a balancer. */
class FleetDevice extends Device {
  #endedAt: number | null = null;

  constructor(
    private readonly comings: Comings,
    ...rest: ConstructorParameters<typeof Device>
  ) {
    super(...rest);
  }

  protected override ended(): void {
    if (!this.stopped) this.#endedAt = this.history.now();
  }

  protected override async subscribed(): Promise<void> {
    const now = this.history.now();
    this.comings.begins.push(now);
    if (this.#endedAt !== null) this.comings.silences.push(now - this.#endedAt);
    this.#endedAt = null;
    await super.subscribed();
  }
}

export interface FleetOptions {
  readonly devices: number;
  /** Milliseconds between two updates of one device. */
  readonly intervalMs: number;
}

/** Many devices that report now and then, each in a shadow of its own, through one port. */
export class Fleet {
  readonly comings: Comings = { begins: [], silences: [] };
  readonly #devices: FleetDevice[] = [];
  readonly #shadows: string[] = [];
  readonly #watchers: Watcher[];

  constructor(
    private readonly topology: Topology,
    private readonly history: History,
    prefix: string,
    port: number,
    { devices, intervalMs }: FleetOptions,
  ) {
    const targets = topology.nodes.map(({ index, httpUrl }) => ({ node: index, url: httpUrl }));
    this.#watchers = targets.map(({ node }) => {
      const order = [...targets.slice(node), ...targets.slice(0, node)];
      return new Watcher(`fleet-watch-${node}`, history, `${prefix}-`, order);
    });
    for (let i = 0; i < devices; i++) {
      const shadow = `${prefix}-${i}`;
      const how = { intervalMs, deletions: null, external: false };
      this.#shadows.push(shadow);
      // Which node it is at, the balancer alone knows.
      this.#devices.push(new FleetDevice(this.comings, `${shadow}-d`, history, [{ node: 0, port }], shadow, how));
    }
  }

  /** Ends when all are connected. */
  async start(): Promise<void> {
    await Promise.all(this.#watchers.map((watcher) => watcher.start()));
    for (let i = 0; i < this.#devices.length; i += BATCH)
      await Promise.all(this.#devices.slice(i, i + BATCH).map((device) => device.start()));
  }

  /** Ends the writing, and takes the final state of all shadows. */
  async finish(): Promise<void> {
    for (const device of this.#devices) device.quiet();
    await Promise.all(this.#devices.map((device) => device.rest()));
    const left = [...this.#shadows];
    const read = async (): Promise<void> => {
      for (let shadow = left.pop(); shadow !== undefined; shadow = left.pop()) await this.#readFinal(shadow);
    };
    await Promise.all(Array.from({ length: READ_AT_ONCE }, read));
    await this.#caughtUp();
    await Promise.all([...this.#devices, ...this.#watchers].map((actor) => actor.stop()));
  }

  async #readFinal(shadow: string): Promise<void> {
    const all = this.topology.nodes.map(async ({ httpUrl, index }) => {
      const read = await readOverHttp(httpUrl, shadow).catch(() => null);
      if (read === null)
        this.history.remarks.push({ promise: 'serves when healed', text: `node ${index} does not read ${shadow}` });
      return read?.told ?? null;
    });
    this.history.final.set(shadow, await Promise.all(all));
  }

  async #caughtUp(): Promise<void> {
    const { final } = this.history;
    const until = performance.now() + BOUND_MS;
    const isBehind = (): boolean =>
      this.#watchers.some((watcher) =>
        this.#shadows.some((shadow) => !watcher.knows(shadow, final.get(shadow)?.[0]?.version ?? null)),
      );
    while (isBehind() && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
