import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { ServiceError } from '../errors/service-error.js';
import type { ClusterKeys } from '../store/cluster-keys.js';
import { excessOf, meanOf } from './fair-share.js';
import { ASKED, LOADS_PATH, readWord, SAID, type NodeWord, type ShedOrder } from './node-word.js';

/** Names of live nodes, as cluster/node-name.ts keeps them. */
const NAMES = 'nodes/';
/** Seconds after which nobody obeys an order. */
const ORDER_SECONDS = 30;
/** Milliseconds in which a node begins. */
const WAIT_MS = 3_000;
const POLL_MS = 40;

/** What is asked of a node. */
export interface ShedCall {
  /** undefined: those above the mean. */
  readonly connections?: number | undefined;
  /** Milliseconds. */
  readonly spreadMs: number;
  readonly by: string;
}

/** The nodes that live, as of one time. */
export interface NodesState {
  /** By name; null: the node says nothing, such as one of an earlier version. */
  readonly words: ReadonlyMap<string, NodeWord | null>;
  /** Of those that say something and stay. */
  readonly mean: number | null;
}

/** The nodes of the service and their connections. */
export class Nodes {
  readonly #loads: ClusterKeys;
  readonly #names: ClusterKeys;

  /** @param keys the cluster's own keys */
  constructor(
    keys: ClusterKeys,
    private readonly waitMs = WAIT_MS,
  ) {
    this.#loads = keys.under(LOADS_PATH);
    this.#names = keys.under(NAMES);
  }

  /** As of now; each node counts its connections once a second. @throws ServiceError storageUnavailable, draining */
  async state(): Promise<NodesState> {
    const [names, said] = await Promise.all([this.#names.list(''), this.#loads.list(SAID)]);
    const words = new Map<string, NodeWord | null>([...names.keys()].map((name) => [name, null]));
    for (const [key, { value }] of said) words.set(key.slice(SAID.length), readWord(value));
    const sorted = new Map([...words].sort(([a], [b]) => (a < b ? -1 : 1)));
    return { words: sorted, mean: meanOf([...sorted.values()].filter((word) => word !== null)) };
  }

  /**
   * Has a node ask some of its clients to use another one. Waits until it begins.
   * @returns how many; 0: it has none above the mean
   * @throws ServiceError noRecord, preconditionFailed, outcomeUnknown; storageUnavailable, storageFull, draining
   */
  async shed(node: string, { connections, spreadMs, by }: ShedCall): Promise<{ planned: number; state: NodesState }> {
    const state = await this.state();
    const word = readyToShed(node, state);
    const planned = Math.min(connections ?? excessOf(word, state.mean), word.connections);
    if (planned === 0) return { planned, state };
    const order: ShedOrder = { id: randomUUID(), instance: word.instance, connections: planned, spreadMs, by };
    const lease = await this.#loads.grant(ORDER_SECONDS);
    return this.#give(node, order, lease).catch((error: unknown) => {
      // The order may have been given, and its node may obey it.
      throw isRefused(error) ? error : new ServiceError('outcomeUnknown');
    });
  }

  async #give(node: string, order: ShedOrder, lease: string): Promise<{ planned: number; state: NodesState }> {
    const key = ASKED + node;
    const revision = await this.#order(key, JSON.stringify(order), lease);
    if (revision === null) throw refused(`node ${node} has been asked for something else just now`);
    const begun = await this.#begun(node, order.id);
    if (begun !== null) return { planned: order.connections, state: begun };
    const takenBack = await this.#loads.commit({ guards: [{ key, revision }], deletes: [key] });
    if (takenBack === null) throw new ServiceError('outcomeUnknown');
    throw refused(`node ${node} does not begin; nothing was closed`);
  }

  async #order(key: string, value: string, lease: string): Promise<number | null> {
    const revision = await this.#loads.commit({ guards: [{ key, value: null }], puts: [{ key, value, lease }] });
    if (revision !== null) return revision;
    // A lost answer may be that of a change that was made.
    const found = await this.#loads.get(key);
    return found?.value === value ? found.revision : null;
  }

  async #begun(node: string, id: string): Promise<NodesState | null> {
    const due = performance.now() + this.waitMs;
    for (;;) {
      const state = await this.state();
      if (state.words.get(node)?.shed?.id === id) return state;
      if (performance.now() >= due) return null;
      await pause(POLL_MS);
    }
  }
}

function readyToShed(node: string, { words }: NodesState): NodeWord {
  const word = words.get(node);
  if (word === undefined) throw new ServiceError('noRecord', `node '${node}'`);
  if (word === null) throw refused(`node ${node} says nothing of its connections`);
  if (word.isDraining) throw refused(`node ${node} is shutting down`);
  const { shed } = word;
  if (shed !== null && !shed.isDone)
    throw refused(`node ${node} is shedding: ${shed.closed} of ${shed.connections} are gone`);
  return word;
}

const isRefused = (error: unknown): boolean =>
  error instanceof ServiceError && (error.code === 'preconditionFailed' || error.code === 'storageFull');

const refused = (detail: string): ServiceError => new ServiceError('preconditionFailed', detail);
