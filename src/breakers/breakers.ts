import type { Clock } from '../resilience/clock.js';
import type { ClusterKeys } from '../store/cluster-keys.js';
import type { AccessMetrics } from '../telemetry/access-metrics.js';
import type { Health, MemberHealth } from '../telemetry/health.js';
import type { Logger } from '../telemetry/logger.js';
import type { Reading } from '../telemetry/recorder.js';
import { Breaker } from './breaker.js';
import { SharedStates } from './shared-states.js';
import type { StateTimes } from './state-writer.js';

/** Dependencies of one node whose states are shared and shown. */
export const MAX_SHARED = 1_000;
/** Dependencies that health shows one by one. */
const SHOWN = 50;
/** A part of a key in etcd, and of lines of logs. */
const NAME = /^[A-Za-z0-9][\w.:@+=,|-]{0,255}$/;

export interface BreakersOptions {
  /** The cluster's own keys. */
  readonly keys: ClusterKeys;
  /** Name of this node. */
  readonly node: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Shortened by tests. */
  readonly times?: StateTimes;
  /** 0 to 1; tests fix it. */
  readonly random?: () => number;
  readonly metrics?: AccessMetrics;
}

/** The breakers of a node, one for each dependency, whose states its peers know. */
export class Breakers {
  readonly #breakers = new Map<string, Breaker>();
  readonly #shared: SharedStates;

  constructor(private readonly options: BreakersOptions) {
    const { keys, node, clock, logger, times, metrics } = options;
    if (metrics) metrics.breakers.read = () => this.#standing();
    this.#shared = new SharedStates({
      ...{ keys, node, clock, logger, times },
      stateOf: (dependency) => this.#breakers.get(dependency)?.state ?? null,
      onClosed: (dependency) => this.#breakers.get(dependency)?.peerClosed(),
    });
  }

  /** Reads the states of the peers and follows them. No errors, and nothing waits. */
  start(): void {
    this.#shared.start();
  }

  /** Takes the states of this node back; its breakers go on alone. No errors. */
  close(): Promise<void> {
    return this.#shared.close();
  }

  /**
   * The breaker of a dependency, the same one each time. Where there are MAX_SHARED, the one that was not asked for longest
   * and is closed makes room; where none is, it is another one each time, neither shared nor shown.
   * @param dependency such as `issuer:login.example.com`; at most 256 letters, digits and `_.:@+=,|-`
   * @param probes calls after a pause that must all succeed, 1 to 5; the first to ask decides
   * @throws RangeError for another name, and other probes
   */
  of(dependency: string, probes?: number): Breaker {
    const breaker = this.#breakers.get(dependency) ?? this.#create(dependency, probes);
    this.#breakers.delete(dependency);
    if (this.#breakers.size >= MAX_SHARED && !this.#makeRoom()) {
      this.options.logger.warn({ dependency }, `${MAX_SHARED} dependencies fail: the state of one more is not kept`);
      return breaker;
    }
    this.#breakers.set(dependency, breaker);
    return breaker;
  }

  /** Forgets a dependency that is not asked any more. No errors. */
  drop(dependency: string): void {
    if (this.#breakers.delete(dependency)) this.#shared.changed(dependency);
  }

  /** A dependency that fails does not make the node unready: what it is needed for says so itself. */
  get health(): Health {
    const all = [...this.#breakers];
    const open = all.filter(([, { state }]) => state.state !== 'closed');
    const closed = all.filter(([, { state }]) => state.state === 'closed');
    const members = [...open, ...closed].slice(0, SHOWN).map(([member, breaker]): MemberHealth => {
      return { member, ok: breaker.state.state === 'closed', reason: breaker.reason };
    });
    const reason = all.length === 0 ? 'no dependencies' : `${open.length} of ${all.length} dependencies fail`;
    return { ok: true, reason, ...(members.length > 0 && { members }) };
  }

  #create(dependency: string, probes: number | undefined): Breaker {
    if (!NAME.test(dependency)) throw new RangeError(`${JSON.stringify(dependency.slice(0, 300))} names no dependency`);
    const { clock, logger, random } = this.options;
    return new Breaker({
      ...{ dependency, clock, logger, probes, ...(random && { random }) },
      peers: () => this.#shared.openOn(dependency),
      onChange: () => {
        this.#shared.changed(dependency);
        this.#count(dependency);
      },
    });
  }

  #count(dependency: string): void {
    const { metrics } = this.options;
    const breaker = this.#breakers.get(dependency);
    if (breaker) metrics?.transitions.add(metrics.becomes[breaker.state.state]);
  }

  #standing(): Reading[] {
    const counts = { closed: 0, 'half-open': 0, open: 0 };
    for (const { state } of this.#breakers.values()) counts[state.state]++;
    return Object.entries(counts).map(([state, count]) => [[state], count]);
  }

  #makeRoom(): boolean {
    for (const [dependency, { state }] of this.#breakers) {
      if (state.state !== 'closed') continue;
      this.drop(dependency);
      return true;
    }
    return false;
  }
}

/** Injection token of the Breakers. */
export const BREAKERS = Symbol('Breakers');
