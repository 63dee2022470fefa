import type { Clock } from '../resilience/clock.js';
import type { ClusterKeys, KeyListener, KeyUpdate, StoredKey } from '../store/cluster-keys.js';
import type { Logger } from '../telemetry/logger.js';
import { readState, writeState, type BreakerState } from './breaker-state.js';
import { PeerStates } from './peer-states.js';
import { STATE_TIMES, StateWriter, type StateTimes } from './state-writer.js';

/** Path of the states below the cluster's own keys. */
const BREAKERS_PATH = 'breakers/';

export interface SharedStatesOptions {
  /** The cluster's own keys. */
  readonly keys: ClusterKeys;
  readonly node: string;
  /** The state that this node tells; null: it has none to tell. */
  readonly stateOf: (dependency: string) => BreakerState | null;
  /** The breaker of a peer has closed. It must not wait. */
  readonly onClosed: (dependency: string) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Shortened by tests. */
  readonly times?: StateTimes | undefined;
}

/** The states of breakers that nodes tell each other: `breakers/{dependency}/{node}`. */
export class SharedStates implements KeyListener {
  readonly #keys: ClusterKeys;
  readonly #stop = new AbortController();
  readonly #writer: StateWriter;
  #peers = new PeerStates();

  constructor(private readonly options: SharedStatesOptions) {
    const { keys, node, stateOf, clock, logger, times = STATE_TIMES } = options;
    this.#keys = keys.under(BREAKERS_PATH);
    const valueOf = (dependency: string): string | null => {
      const state = stateOf(dependency);
      return state && writeState(state);
    };
    const matters = (value: string): boolean => readState(value)?.state !== 'closed';
    this.#writer = new StateWriter({ keys: this.#keys, node, valueOf, matters, times, clock, logger });
  }

  /** Reads the states of the peers and follows them. No errors, and nothing waits. */
  start(): void {
    this.#keys.watch('', this, this.#stop.signal);
  }

  /** Takes the states of this node back. No errors. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#writer.stop();
  }

  /** Nodes on which the breaker is not closed. No errors. */
  openOn(dependency: string): readonly string[] {
    return this.#peers.openOn(dependency);
  }

  /** Has the state told to the peers soon. No errors. */
  changed(dependency: string): void {
    this.#writer.changed(dependency);
    // What an earlier life of this node has left is replaced.
    this.#peers.set(dependency, this.options.node, null);
  }

  /** The watch calls it. No errors. */
  snapshot(keys: ReadonlyMap<string, StoredKey>, revision: number): void {
    const before = this.#peers;
    this.#peers = new PeerStates();
    const own = new Map<string, string>();
    for (const [key, { value }] of keys) {
      const { dependency, node } = split(key);
      if (this.#isOwn(dependency, node)) own.set(dependency, value);
      // A peer that was closed all the time has proven nothing.
      else if (this.#peers.set(dependency, node, value) && before.has(dependency, node)) {
        this.options.onClosed(dependency);
      }
    }
    this.#writer.sawAll(own, revision);
  }

  /** The watch calls it. No errors. */
  change({ key, value, revision }: KeyUpdate): void {
    const { dependency, node } = split(key);
    if (this.#isOwn(dependency, node)) this.#writer.saw(dependency, value, revision);
    else if (this.#peers.set(dependency, node, value)) this.options.onClosed(dependency);
  }

  #isOwn(dependency: string, node: string): boolean {
    return node === this.options.node && this.#writer.owns(dependency);
  }
}

function split(key: string): { dependency: string; node: string } {
  const at = key.indexOf('/');
  return { dependency: key.slice(0, at), node: key.slice(at + 1) };
}
