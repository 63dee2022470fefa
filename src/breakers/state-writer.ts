import { BackOff, type BackOffRange } from '../resilience/back-off.js';
import type { Clock } from '../resilience/clock.js';
import type { ClusterKeys } from '../store/cluster-keys.js';
import type { Logger } from '../telemetry/logger.js';
import { reasonOf } from '../telemetry/reason.js';

export interface StateTimes {
  /** After so much silence nobody believes the states of a node any more. */
  readonly leaseSeconds: number;
  /** Milliseconds between two signs of life. */
  readonly keepAliveMs: number;
  /** Milliseconds between two writes; what changes meanwhile is written together. */
  readonly pauseMs: number;
  /** Pauses after writes that failed. */
  readonly retry: BackOffRange;
}

export const STATE_TIMES: StateTimes = {
  leaseSeconds: 90,
  keepAliveMs: 30_000,
  pauseMs: 1_000,
  retry: { first: 1_000, longest: 15_000 },
};
/** Keys of one transaction: etcd takes 128. */
const MOST_IN_COMMIT = 100;

export interface StateWriterOptions {
  /** The keys `{dependency}/{node}`. */
  readonly keys: ClusterKeys;
  readonly node: string;
  /** What is to be written; null: no key. */
  readonly valueOf: (dependency: string) => string | null;
  /** Whether a value tells more than a missing key does. */
  readonly matters: (value: string) => boolean;
  readonly times: StateTimes;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Keeps the states of this node in etcd, under one lease and beside the calls: nothing waits for it, and what could not
 * be written is tried again until it could. A lease that has ended is followed by another, and what mattered is put anew.
 * A node with nothing to tell has no lease.
 */
export class StateWriter {
  /** Dependencies whose key is not as it should be. */
  readonly #dirty = new Set<string>();
  /** What this life has put: dependency to value and revision. */
  readonly #written = new Map<string, { readonly value: string; readonly revision: number }>();
  /** Values of a commit that is under way. */
  #underWay = new Map<string, string>();
  readonly #backOff: BackOff;
  #lease: string | null = null;
  /** When the lease was last known to live, on the monotonic clock. */
  #provenAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #work: Promise<void> | null = null;
  #failures = 0;
  #stopped = false;

  constructor(private readonly options: StateWriterOptions) {
    this.#backOff = new BackOff(options.times.retry);
  }

  /** Whether a key of this node is of this life. One of an earlier life ends with its lease. No errors. */
  owns(dependency: string): boolean {
    return this.#written.has(dependency) || this.#underWay.has(dependency);
  }

  /** Has the state written soon. No errors. */
  changed(dependency: string): void {
    if (!this.owns(dependency) && this.options.valueOf(dependency) === null) return;
    this.#dirty.add(dependency);
    if (this.#work === null && this.#failures === 0) this.#schedule(0);
  }

  /** A watch has seen a key of this life: a late write of ours, or the end of the lease, has to be mended. No errors. */
  saw(dependency: string, value: string | null, revision: number): void {
    const written = this.#written.get(dependency);
    if (!written || revision <= written.revision || value === written.value) return;
    if (value !== null && value === this.#underWay.get(dependency)) return;
    this.#written.delete(dependency);
    if (value === null && !this.options.matters(written.value)) return;
    this.#dirty.add(dependency);
    if (this.#work === null && this.#failures === 0) this.#schedule(this.options.times.pauseMs);
  }

  /** As saw(), of all that this life has put. No errors. */
  sawAll(values: ReadonlyMap<string, string>, revision: number): void {
    for (const dependency of [...this.#written.keys()]) {
      this.saw(dependency, values.get(dependency) ?? null, revision);
    }
  }

  /** Gives the lease back, and with it all keys. No errors. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#work;
    const lease = this.#lease;
    this.#lease = null;
    if (lease !== null) await this.options.keys.revoke(lease).catch(() => undefined);
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#turn(), ms).unref();
  }

  async #turn(): Promise<void> {
    if (this.#work !== null) return;
    this.#work = this.#write().then(
      () => this.#succeeded(),
      (error: unknown) => this.#failed(error),
    );
    await this.#work;
    this.#work = null;
    const { keepAliveMs, pauseMs } = this.options.times;
    if (this.#failures > 0) this.#schedule(this.#backOff.next());
    else if (this.#dirty.size > 0) this.#schedule(pauseMs);
    else if (this.#lease !== null) this.#schedule(keepAliveMs);
  }

  async #write(): Promise<void> {
    const { keys, clock, times } = this.options;
    if (this.#dirty.size === 0 && !this.#matters()) return this.#forget();
    if (this.#lease !== null && clock.monotonic() - this.#provenAt >= times.keepAliveMs) {
      const at = clock.monotonic();
      if (await keys.keepAlive(this.#lease)) this.#provenAt = at;
      else this.#lost();
    }
    for (let refusals = 0; this.#dirty.size > 0 && !this.#stopped;) {
      const lease = (this.#lease ??= await this.#grant());
      if (await this.#commit(lease)) continue;
      this.#lost();
      if (++refusals > 1) throw new Error('the lease ended at once');
    }
  }

  async #grant(): Promise<string> {
    const { keys, clock, times } = this.options;
    this.#provenAt = clock.monotonic();
    return keys.grant(times.leaseSeconds);
  }

  /** @returns false: the lease has ended */
  async #commit(lease: string): Promise<boolean> {
    const { keys, node, valueOf } = this.options;
    const dependencies = [...this.#dirty].slice(0, MOST_IN_COMMIT);
    const found = dependencies.map((dependency) => [dependency, valueOf(dependency)] as const);
    const values = new Map(found.flatMap(([name, value]) => (value === null ? [] : [[name, value] as const])));
    const gone = dependencies.filter((dependency) => !values.has(dependency));
    const keyOf = (dependency: string): string => `${dependency}/${node}`;
    const puts = [...values].map(([dependency, value]) => ({ key: keyOf(dependency), value, lease }));
    // What changes from here on is dirty again.
    for (const dependency of dependencies) this.#dirty.delete(dependency);
    this.#underWay = values;
    let revision: number | null = null;
    try {
      revision = await keys.commit({ guards: [], puts, deletes: gone.map(keyOf) });
    } finally {
      this.#underWay = new Map();
      if (revision === null) for (const dependency of dependencies) this.#dirty.add(dependency);
    }
    if (revision === null) return false;
    for (const dependency of gone) this.#written.delete(dependency);
    for (const [dependency, value] of values) this.#written.set(dependency, { value, revision });
    return true;
  }

  /** Puts what matters anew, under another lease. */
  #lost(): void {
    this.#lease = null;
    for (const [dependency, { value }] of this.#written) if (this.options.matters(value)) this.#dirty.add(dependency);
    this.#written.clear();
  }

  /** All is closed, and was for as long as a sign of life takes: the lease may end, and the keys with it. */
  #forget(): void {
    this.#lease = null;
    this.#written.clear();
  }

  #matters(): boolean {
    return [...this.#written.values()].some(({ value }) => this.options.matters(value));
  }

  #succeeded(): void {
    if (this.#failures > 0) this.options.logger.debug('states of breakers can be shared again');
    this.#failures = 0;
    this.#backOff.reset();
  }

  #failed(error: unknown): void {
    if (++this.#failures > 1 || this.#stopped) return;
    this.options.logger.warn(
      { reason: reasonOf(error) },
      'states of breakers cannot be shared; each node uses its own',
    );
  }
}
