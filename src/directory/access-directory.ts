import { Signal } from '../resilience/signal.js';
import type { ClusterKeys, KeyListener, KeyUpdate, KeyWatch, StoredKey } from '../store/cluster-keys.js';
import type { Health } from '../telemetry/health.js';
import type { Logger } from '../telemetry/logger.js';
import type { AccessEntry, KindName, RecordPlace, RecordTypes } from './access-records.js';
import { AccessTables } from './access-tables.js';

/** `all`: any record may have changed. */
export type AccessChange = RecordPlace | 'all';

/** Is called in the turn in which a change takes effect. It must not wait. */
export type OnAccessChange = (change: AccessChange) => void;

/** A state of the store that is being read. */
interface Loading {
  /** By performance.now(). */
  readonly since: number;
  /** The last change of each key since. */
  readonly later: Map<string, KeyUpdate>;
  revision: number;
}

/**
 * Milliseconds without proof of being current after which health says so: longer than a watch takes to leave a silent
 * member for the next one.
 */
const STALE_MS = 15_000;
/** Faults that health shows one by one. */
const SHOWN_FAULTS = 5;

/**
 * All records of access, in the memory of each node and followed by a watch, so that every decision is made at once and
 * from one state. While the node is cut off, decisions go on with what is there. Before the first state there is no
 * record, and whoever asks finds nobody who may do anything.
 */
export class AccessDirectory implements KeyListener {
  /** Resolves when the first state is there; never rejects. */
  readonly ready: Promise<void>;
  #becomeReady: () => void = () => undefined;
  readonly #stop = new AbortController();
  readonly #reached = new Signal();
  readonly #listeners = new Set<OnAccessChange>();
  #tables = new AccessTables();
  #watch: KeyWatch | null = null;
  /** While it is there, changes wait for it: nothing is decided from a mixture of two states. */
  #loading: Loading | null = null;
  #isReady = false;
  #generation = 0;
  #revision = 0;

  /** @param keys those below ACCESS_PATH */
  constructor(
    private readonly keys: ClusterKeys,
    private readonly logger: Logger,
  ) {
    this.ready = new Promise((resolve) => (this.#becomeReady = resolve));
  }

  /** Begins to follow the store. No errors. */
  start(): void {
    this.#watch ??= this.keys.watch('', this, this.#stop.signal);
  }

  /** Stops following; what is there stays. No errors. */
  close(): void {
    this.#stop.abort();
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Grows with each change: what was judged under the same number need not be judged again. */
  get generation(): number {
    return this.#generation;
  }

  /** Revision of the store up to which the records are known. */
  get revision(): number {
    return this.#revision;
  }

  /** Milliseconds since the records were last known to be current; null: there are none yet. */
  get staleMs(): number | null {
    const staleMs = this.#watch?.staleMs ?? null;
    if (staleMs === null || !this.#isReady) return null;
    return this.#loading ? Math.max(staleMs, performance.now() - this.#loading.since) : staleMs;
  }

  /** The record of these names, or null. */
  get<Name extends KindName>(
    kind: Name,
    first?: string,
    second?: string,
    third?: string,
  ): AccessEntry<RecordTypes[Name]> | null {
    return this.#tables.table(kind).get(first, second, third);
  }

  /** All records of a kind, or those of a tenant; for `key` take keysOf(). Use them up before the next turn. */
  list<Name extends KindName>(kind: Name, tenant?: string): Iterable<AccessEntry<RecordTypes[Name]>> {
    const table = this.#tables.table(kind);
    return tenant === undefined ? table.all() : table.under(tenant);
  }

  /** Records of a kind. */
  count(kind: KindName): number {
    return this.#tables.table(kind).size;
  }

  /** Records of a kind that belong to a tenant. */
  countIn(kind: KindName, tenant: string): number {
    return this.#tables.countIn(kind, tenant);
  }

  /** Ids of the keys of a principal. */
  keysOf(tenant: string, principal: string): ReadonlySet<string> {
    return this.#tables.keysOf(tenant, principal);
  }

  /** How many principals, groups and authorities have a policy; its tenant counts as one. */
  holdersOf(tenant: string, policy: string): number {
    return this.#tables.holdersOf(tenant, policy);
  }

  /** Calls `listener` after each change until the returned function is called. */
  onChange(listener: OnAccessChange): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Resolves with true as soon as the records are known up to `revision`, with false after `limitMs`. It never rejects.
   * After a restored backup revisions begin again at a lower number; false then says that the record may be gone.
   */
  reached(revision: number, limitMs: number): Promise<boolean> {
    return this.#reached.until(() => this.#revision >= revision, { limitMs, signal: this.#stop.signal });
  }

  get health(): Health {
    const { staleMs } = this;
    const warnings = this.#warnings();
    const shown = warnings.length > 0 ? { warnings } : {};
    if (staleMs === null) {
      return { ok: false, reason: `no rules of access yet, so nobody may do anything: ${this.#reason}`, ...shown };
    }
    const records = `${this.count('principal')} principals, ${this.count('policy')} policies at revision ${this.#revision}`;
    if (staleMs <= STALE_MS) return { ok: true, reason: records, ...shown };
    const age = `the rules of access are those of ${Math.round(staleMs / 1000)} s ago`;
    return { ok: false, reason: `${age} (${records}): ${this.#reason}`, ...shown };
  }

  /** The watch calls it. No errors. */
  snapshot(keys: ReadonlyMap<string, StoredKey>, revision: number): void {
    this.#loading = { since: performance.now(), later: new Map(), revision };
    void this.#load(keys, this.#loading);
  }

  /** The watch calls it. No errors. */
  change(update: KeyUpdate): void {
    const { key, revision } = update;
    if (this.#loading) {
      this.#loading.later.set(key, update);
      this.#loading.revision = revision;
      return;
    }
    const place = apply(this.#tables, update);
    const fault = this.#tables.faults.get(key);
    if (fault !== undefined) this.#report(fault);
    if (place) this.#changed(place, revision);
  }

  async #load(keys: ReadonlyMap<string, StoredKey>, loading: Loading): Promise<void> {
    const isWanted = (): boolean => this.#loading === loading && !this.#stop.signal.aborted;
    const tables = await AccessTables.read(keys, isWanted);
    if (!tables) return;
    for (const update of loading.later.values()) apply(tables, update);
    for (const fault of tables.faults.values()) this.#report(fault);
    this.#tables = tables;
    this.#loading = null;
    this.#isReady = true;
    this.#changed('all', loading.revision);
    this.#becomeReady();
  }

  #changed(change: AccessChange, revision: number): void {
    this.#generation++;
    this.#revision = revision;
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        this.logger.error({ err: error }, 'a change of access could not be taken over by a part of this node');
      }
    }
    this.#reached.notify();
  }

  get #reason(): string {
    return this.#watch?.reason ?? 'not started';
  }

  #report(fault: string): void {
    this.logger.error({ reason: fault }, 'a record of access cannot be read, and allows nothing');
  }

  #warnings(): string[] {
    const faults = [...this.#tables.faults.values()];
    const more = faults.length - SHOWN_FAULTS;
    return [...faults.slice(0, SHOWN_FAULTS), ...(more > 0 ? [`and ${more} more records that cannot be read`] : [])];
  }
}

function apply(tables: AccessTables, { key, value, revision }: KeyUpdate): RecordPlace | null {
  return tables.set(key, value === null ? null : { value, revision });
}

/** Injection token of the AccessDirectory. */
export const ACCESS_DIRECTORY = Symbol('AccessDirectory');
