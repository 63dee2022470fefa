import { randomUUID } from 'node:crypto';
import { LeasedKey } from '../cluster/leased-key.js';
import type { Shedding } from '../mqtt/built-in/connections/shedding.js';
import type { ClusterKeys, KeyListener, KeyUpdate, StoredKey } from '../store/cluster-keys.js';
import type { Logger } from '../telemetry/logger.js';
import { reasonOf } from '../telemetry/reason.js';
import { VERSION } from '../telemetry/version.js';
import { ASKED, LOADS_PATH, readOrder, SAID, type NodeWord, type Shed, type ShedOrder } from './node-word.js';

/** Milliseconds between two looks at the number of connections: one that has not changed costs no write. */
const LOOK_MS = 1_000;

export interface NodeLoadParts {
  /** The cluster's own keys. */
  readonly keys: ClusterKeys;
  readonly node: string;
  readonly count: () => number;
  readonly isDraining: () => boolean;
  readonly shed: (connections: number, withinMs: number) => Shedding;
  readonly logger: Logger;
}

/** Says how many connections this node has, and sheds some of them when it is asked to. */
export class NodeLoad implements KeyListener {
  readonly #keys: ClusterKeys;
  readonly #word: LeasedKey;
  readonly #instance = randomUUID();
  readonly #stop = new AbortController();
  readonly #asked: string;
  #timer: NodeJS.Timeout | undefined;
  #id: string | null = null;
  #shedding: Shedding | null = null;

  constructor(private readonly parts: NodeLoadParts) {
    this.#keys = parts.keys.under(LOADS_PATH);
    this.#word = new LeasedKey(this.#keys, SAID + parts.node, parts.logger);
    this.#asked = ASKED + parts.node;
  }

  /** No errors, and nothing waits. */
  start(): void {
    this.#keys.watch(this.#asked, this, this.#stop.signal);
    this.#timer = setInterval(() => this.#say(), LOOK_MS).unref();
    this.#say();
  }

  /** Takes back what this node says. No errors. */
  async close(): Promise<void> {
    this.#stop.abort();
    clearInterval(this.#timer);
    await this.#word.stop();
  }

  /** The watch calls it. No errors. */
  snapshot(keys: ReadonlyMap<string, StoredKey>): void {
    const found = keys.get(this.#asked);
    if (found !== undefined) this.#ask(found.value, found.revision);
  }

  /** The watch calls it. No errors. */
  change({ key, value, revision }: KeyUpdate): void {
    // The prefix is that of other names as well.
    if (key === this.#asked && value !== null) this.#ask(value, revision);
  }

  #ask(text: string, revision: number): void {
    const order = readOrder(text);
    if (order === null || order.instance !== this.#instance || this.#isShedding) return;
    this.#take(order, revision).catch((error: unknown) => {
      this.parts.logger.warn(
        { reason: reasonOf(error), by: order.by },
        'no connections are shed: etcd does not answer',
      );
    });
  }

  /** Takes the order away: one that its caller has given up, or that another read, is not obeyed. */
  async #take({ id, connections, spreadMs, by }: ShedOrder, revision: number): Promise<void> {
    const { logger, shed } = this.parts;
    const key = this.#asked;
    const taken = await this.#keys.commit({ guards: [{ key, revision }], deletes: [key] });
    if (taken === null || this.#isShedding || this.#stop.signal.aborted) return;
    this.#id = id;
    const shedding = shed(connections, spreadMs);
    this.#shedding = shedding;
    this.#say();
    logger.info({ by, connections: shedding.connections, spreadMs }, 'connections are asked to use another node');
    await shedding.done;
    logger.info({ by, closed: shedding.closed }, 'connections have been asked to use another node');
    this.#say();
  }

  get #isShedding(): boolean {
    return this.#shedding?.isDone === false;
  }

  #say(): void {
    const { count, isDraining } = this.parts;
    const word: NodeWord = {
      ...{ software: VERSION, instance: this.#instance },
      ...{ connections: count(), isDraining: isDraining(), shed: this.#lastShed() },
    };
    this.#word.say(JSON.stringify(word));
  }

  #lastShed(): Shed | null {
    if (this.#id === null || this.#shedding === null) return null;
    const { connections, closed, isDone } = this.#shedding;
    return { id: this.#id, connections, closed, isDone };
  }
}
