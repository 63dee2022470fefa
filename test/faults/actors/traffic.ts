import { setTimeout as pause } from 'node:timers/promises';
import { shadowId, type History, type UpdateOp } from '../model/history.js';
import { Bank } from './bank.js';
import { Lister } from './lister.js';
import { Device, Observer } from './mqtt-actors.js';
import type { Random } from '../plans/random.js';
import { askReady, readOverHttp, writeOverHttp, type Target } from './rest-caller.js';
import type { Topology } from '../topology.js';
import { TRANSPORTS } from './stream.js';
import { Watcher } from './watcher.js';
import { EVERYTHING, VIEWS } from '../model/stream-view.js';

export interface TrafficOptions {
  readonly shadows: number;
  /** Milliseconds between two updates of one writer. */
  readonly intervalMs: number;
  /** Bytes of text in desired that no device reports, so that every delta has them. */
  readonly padding?: number;
  /** Further readers of streams, of all transports and filters, that come and go; 4 unless told otherwise. */
  readonly readers?: number;
  /** Devices and applications also delete their shadow now and then; so unless told otherwise. */
  readonly deletes?: boolean;
}

/** A thing has a classic shadow and two named ones, as far as there are shadows. */
const NAMES = [null, 'cfg', 'door'] as const;
/** Longest pause of the guest, in intervals: lists and reads must find it gone. */
const PATIENCE = 10;
/** Updates of one writer between two deletions of it. */
const UPDATES_PER_DELETE = 60;

export const USUAL_TRAFFIC: TrafficOptions = { shadows: 5, intervalMs: 50 };

/** Milliseconds between looks at readiness and memory. */
const SAMPLE_MS = 250;
/** Milliseconds in which a healed system must be whole again: ready, converged, every reader caught up. */
export const BOUND_MS = 20_000;

/** Devices, applications and readers on one topology, all writing down what they see. */
export class Traffic {
  readonly shadows: readonly string[];
  /** Without a device: its application creates it and deletes it, and leaves it alone for a while in between. */
  readonly #guest: string | null;
  readonly watchers: Watcher[] = [];
  readonly #restless: Watcher[] = [];
  readonly #bank: Bank;
  readonly #devices: Device[] = [];
  readonly #observers: Observer[] = [];
  readonly #callers: Promise<void>[] = [];
  #sampler: Promise<void> = Promise.resolve();
  #writing = true;
  #hushed = false;
  #running = true;

  constructor(
    private readonly topology: Topology,
    private readonly history: History,
    private readonly random: Random,
    readonly prefix: string,
    private readonly options: TrafficOptions = USUAL_TRAFFIC,
  ) {
    const shadows = Array.from({ length: options.shadows }, (_, i) =>
      shadowId(`${prefix}-${Math.floor(i / NAMES.length)}`, NAMES[i % NAMES.length] ?? null),
    );
    this.#guest = options.deletes === false ? null : shadowId(`${prefix}-0`, 'guest');
    this.shadows = this.#guest === null ? shadows : [...shadows, this.#guest];
    this.#bank = new Bank(prefix, this.#targets(), random.fork('bank'));
    history.bank = this.#bank.history;
  }

  async start(): Promise<void> {
    const { history, prefix, options } = this;
    const targets = this.#targets();
    const { doors } = this.topology;
    for (const { index } of this.topology.nodes) {
      // One prefix may begin with another.
      this.watchers.push(new Watcher(`watch-${index}`, history, `${prefix}-`, rotated(targets, index)));
    }
    for (let i = 0; i < (options.readers ?? VIEWS.length); i++) this.#restless.push(this.#restlessReader(i, targets));
    doors.forEach((door, i) => this.#observers.push(new Observer(`${prefix}-obs-${i}`, history, door, `${prefix}-`)));
    this.shadows.forEach((shadow, i) => {
      if (shadow === this.#guest) return;
      const first = (i * 11 + 20) % UPDATES_PER_DELETE;
      const deletions = options.deletes === false ? null : { every: UPDATES_PER_DELETE, first };
      const how = { intervalMs: options.intervalMs, deletions, external: this.topology.broker !== null };
      const device = new Device(`${prefix}-${i}-d`, history, rotated(doors, i), shadow, how);
      this.#devices.push(device);
    });
    // Readers first: what they are to see begins after they have begun.
    await Promise.all([...this.watchers, ...this.#restless, ...this.#observers].map((actor) => actor.start()));
    await Promise.all(this.#devices.map((actor) => actor.start()));
    await this.#bank.start(options.intervalMs, () => this.#mayWrite());
    this.shadows.forEach((shadow, i) => {
      if (shadow === this.#guest) this.#callers.push(this.#comeAndGo(shadow, this.random.fork('guest')));
      else this.#callers.push(this.#application(shadow, `${prefix}-${i}-a`, this.random.fork(`app${i}`)));
      this.#callers.push(this.#reader(shadow, this.random.fork(`reader${i}`)));
    });
    const lister = new Lister(history, targets, `${prefix}-`, this.shadows, this.random.fork('lister'));
    this.#callers.push(lister.run(options.intervalMs, () => this.#writing));
    this.#sampler = this.#sample();
  }

  /** Nobody writes until goOn(); ends when what was desired has been done. Readers stay. */
  async hush(): Promise<void> {
    this.#hushed = true;
    for (const device of this.#devices) device.quiet();
    const from = this.history.now();
    // What is under way has had its answer by then.
    await pause(this.options.intervalMs * PATIENCE);
    await Promise.all(this.shadows.map((shadow) => this.#converge(shadow, from)));
    this.history.converged.clear();
    await pause(1_000);
  }

  goOn(): void {
    this.#hushed = false;
    for (const device of this.#devices) device.busy();
  }

  /** Waits while nobody is to write; whether there is still something to write. */
  async #mayWrite(): Promise<boolean> {
    while (this.#hushed && this.#writing) await pause(50);
    return this.#writing;
  }

  /** Ends the writing, waits until all is as promised or the bound is over, and takes the final state. */
  async finish(): Promise<void> {
    this.#writing = false;
    for (const device of this.#devices) device.quiet();
    await Promise.all(this.#callers);
    await this.#bank.finish(BOUND_MS);
    const from = this.history.now();
    await Promise.all(this.shadows.map((shadow) => this.#converge(shadow, from)));
    await Promise.all(this.#devices.map((device) => device.rest()));
    await Promise.all(this.shadows.map((shadow) => this.#readFinal(shadow)));
    await this.#caughtUp(from);
    await this.#readyAgain(from);
    // Messages that are on their way to observers.
    await pause(300);
    this.#running = false;
    const readers = [...this.watchers, ...this.#restless, ...this.#observers];
    await Promise.all([...readers, ...this.#devices].map((actor) => actor.stop()));
    await this.#sampler;
  }

  #targets(): Target[] {
    return this.topology.nodes.map(({ index, httpUrl }) => ({ node: index, url: httpUrl }));
  }

  async #application(shadow: string, writer: string, random: Random): Promise<void> {
    const targets = this.#targets();
    let known: number | undefined;
    for (let n = 1; await this.#mayWrite(); n++) {
      const target = random.pick(targets);
      const id = `${writer}-${n}`;
      const kind = this.options.deletes !== false && random.next() < 1 / UPDATES_PER_DELETE ? 'delete' : 'update';
      const pad = this.options.padding === undefined ? {} : { pad: String(n).padEnd(this.options.padding, '.') };
      const patch = n % 4 === 0 ? { a: id, target: n, nested: { [`k${n % 3}`]: n }, ...pad } : { a: id };
      // Some carry a version, often an old one: refusals are part of the traffic.
      const op = await this.#write({ id, kind, shadow, patch }, target, n % 7 === 0 ? known : undefined);
      known = op.step ?? known;
      await pause(this.options.intervalMs * (0.5 + random.next()));
    }
  }

  async #comeAndGo(shadow: string, random: Random): Promise<void> {
    const targets = this.#targets();
    for (let n = 1; await this.#mayWrite(); n++) {
      const id = `${this.prefix}-guest-${n}`;
      const kind = n % 3 === 0 ? 'delete' : 'update';
      await this.#write({ id, kind, shadow, patch: { a: id } }, random.pick(targets));
      await pause(this.options.intervalMs * PATIENCE * random.next());
    }
  }

  async #write(
    what: Pick<UpdateOp, 'id' | 'kind' | 'shadow' | 'patch'>,
    target: Target,
    version?: number,
  ): Promise<UpdateOp> {
    // prettier-ignore
    const op: UpdateOp = { ...what, node: target.node, door: 'http', section: 'desired', from: this.history.now(),
      to: Infinity, outcome: 'maybe', step: null, reason: 'no answer' };
    this.history.updates.push(op);
    await writeOverHttp(this.history, target, op, version);
    return op;
  }

  async #reader(shadow: string, random: Random): Promise<void> {
    const targets = this.#targets();
    while (this.#writing) {
      const { node, url } = random.pick(targets);
      const from = this.history.now();
      try {
        const { told } = await readOverHttp(url, shadow);
        this.history.reads.push({ shadow, node, door: 'http', from, to: this.history.now(), told });
      } catch {
        // No answer, no promise.
      }
      await pause(this.options.intervalMs * (0.5 + random.next()));
    }
  }

  async #sample(): Promise<void> {
    while (this.#running) {
      await Promise.all(
        this.topology.nodes.map(async (node) => {
          const at = this.history.now();
          const memory = node.memory();
          if (memory) this.history.memory.push({ node: node.index, at, ...memory });
          this.history.ready.push({ node: node.index, at, ready: await askReady(node.httpUrl) });
        }),
      );
      await pause(SAMPLE_MS);
    }
  }

  async #converge(shadow: string, from: number): Promise<void> {
    for (let turn = 0; this.history.now() - from < BOUND_MS; turn++) {
      const { httpUrl } = this.topology.node(turn);
      const delta = await readOverHttp(httpUrl, shadow, 2_000).then(
        ({ told, delta }) => told && delta?.['target'],
        () => 'no answer',
      );
      if (delta === undefined || delta === null) {
        this.history.converged.set(shadow, this.history.now() - from);
        return;
      }
      await pause(100);
    }
    this.history.converged.set(shadow, null);
  }

  async #readFinal(shadow: string): Promise<void> {
    const all = this.topology.nodes.map(async ({ httpUrl, index }) => {
      const read = await readOverHttp(httpUrl, shadow).catch(() => null);
      if (read === null)
        this.history.remarks.push({ promise: 'serves when healed', text: `node ${index} does not read` });
      return read?.told ?? null;
    });
    this.history.final.set(shadow, await Promise.all(all));
  }

  /** Behind mosquitto a node is not ready while claims move to it, which may begin after it was. */
  async #readyAgain(from: number): Promise<void> {
    const isReady = (node: number): boolean => this.history.ready.findLast((one) => one.node === node)?.ready === true;
    while (!this.topology.nodes.every(({ index }) => isReady(index)) && this.history.now() - from < BOUND_MS)
      await pause(100);
  }

  async #caughtUp(from: number): Promise<void> {
    const behind = (): boolean =>
      this.watchers.some((watcher) =>
        this.shadows.some((shadow) => {
          const versions = (this.history.final.get(shadow) ?? []).flatMap((told) => (told ? [told.version] : []));
          return !watcher.knows(shadow, versions.length === 0 ? null : Math.max(...versions));
        }),
      );
    while (behind() && this.history.now() - from < BOUND_MS) await pause(50);
    const last = Math.max(...this.watchers.map(({ position }) => position));
    // Of changes that it leaves out a stream tells by bookmarks.
    while (this.#restless.some(({ position }) => position < last) && this.history.now() - from < BOUND_MS)
      await pause(50);
  }

  #restlessReader(index: number, targets: readonly Target[]): Watcher {
    const view = VIEWS[index % VIEWS.length] ?? EVERYTHING;
    // Each view gets each transport.
    const transport = TRANSPORTS[(index + Math.floor(index / VIEWS.length) + 2) % TRANSPORTS.length]!;
    const unrest = this.random.fork(`reader of streams ${index}`);
    const name = `${view.name}-${transport}-${index}`;
    return new Watcher(name, this.history, `${this.prefix}-`, rotated(targets, index), { view, transport, unrest });
  }
}

function rotated<T>(list: readonly T[], by: number): T[] {
  return list.map((_, i) => list[(i + by) % list.length] as T);
}
