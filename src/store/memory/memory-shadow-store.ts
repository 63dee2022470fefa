import { SYSTEM_CLOCK, type Clock } from '../../resilience/clock.js';
import { isTombstone } from '../../document/shadow-document.js';
import { ServiceError } from '../../errors/service-error.js';
import { DeadlineSweep } from '../../resilience/deadline-sweep.js';
import { decodeNamePage, decodeThingPage, encodeNamePage, encodeThingPage, MAX_LISTED_SHADOWS } from '../page-token.js';
import { revisionAhead } from '../as-new-as.js';
import { changesDesired, exclusiveClaimOf, ExclusiveClaims, exclusivelyHeld, leaseKey } from '../exclusive-claims.js';
import { sameHistory, type Position } from '../position.js';
import { RevisionGone } from '../revision-gone.js';
import { submitByUpdate, type Operation } from '../operation.js';
import { ShadowQueue } from '../shadow-queue.js';
import type {
  Change,
  Changed,
  Fence,
  NamePage,
  Reading,
  RequestOptions,
  ShadowKey,
  ShadowRecord,
  ShadowStore,
  ThingPage,
} from '../shadow-store.js';
import {
  checkTransaction,
  GuardedLeaseGone,
  GuardFailed,
  type GuardedKey,
  type Transacted,
  type Transaction,
} from '../transaction.js';
import { ChangeLog } from './change-log.js';
import { MemoryClusterKeys } from './memory-cluster-keys.js';

const idOf = (key: ShadowKey): string => `${key.tenant}/${key.thing}/${key.name === null ? 'c' : `n:${key.name}`}`;
const byBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export interface MemoryStoreOptions {
  readonly clock?: Clock;
  readonly maxQueuedPerShadow?: number;
  /** What fences and the guarded keys of transactions name; their root, not a view below a path. */
  readonly clusterKeys?: MemoryClusterKeys;
}

/**
 * The store of tests, and the second implementation that keeps the contract honest. It keeps nothing beyond the
 * process.
 */
export class MemoryShadowStore implements ShadowStore {
  /** The log that a feed of this store follows. */
  readonly log = new ChangeLog();
  /** Claims that fences name besides the cluster keys, each with its revision; tests set them. */
  readonly claims = new Map<string, number>();
  /** Every version of every shadow, oldest first, for getBefore. */
  readonly #versions = new Map<string, ShadowRecord[]>();
  readonly #queue: ShadowQueue;
  readonly #clock: Clock;
  readonly #clusterKeys: MemoryClusterKeys;
  #position: Position = { cluster: 'memory', epoch: 0, revision: 1 };
  #closed = false;

  constructor(options: MemoryStoreOptions = {}) {
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    this.#clusterKeys = options.clusterKeys ?? new MemoryClusterKeys();
    this.#queue = new ShadowQueue(options.maxQueuedPerShadow ?? 1000, new DeadlineSweep(this.#clock));
  }

  /** The present position. */
  get position(): Position {
    return this.#position;
  }

  /** The last record of every shadow, tombstones included. */
  get records(): ShadowRecord[] {
    return [...this.#versions.values()].flatMap((versions) => versions.slice(-1));
  }

  async get(key: ShadowKey, options: RequestOptions): Promise<ShadowRecord | null> {
    await this.#turn(options);
    const record = this.#current(key);
    return record && { ...record, readAt: this.#position.revision };
  }

  async read(key: ShadowKey, options: RequestOptions): Promise<Reading> {
    await this.#turn(options);
    return { record: this.#current(key), position: this.#position };
  }

  async readAsOf(key: ShadowKey, revision: number, options: RequestOptions): Promise<Reading> {
    await this.#turn(options);
    const { compacted } = this.log;
    if (revision > this.#position.revision) throw revisionAhead(revision, this.#position.revision);
    if (revision < compacted) throw new RevisionGone(`revision ${revision}`, compacted);
    const record = this.#versions.get(idOf(key))?.findLast((each) => each.position.revision <= revision) ?? null;
    return { record, position: { ...this.#position, revision } };
  }

  update(key: ShadowKey, change: Change, options: RequestOptions): Promise<ShadowRecord> {
    return this.#queue.run(idOf(key), options.deadline, async () => {
      await this.#turn(options);
      const { signal } = options;
      const held = { ...options, signal, fence: await this.#renewed(options.fence) };
      this.#checkFence(held);
      const made = change(this.#current(key)?.state ?? null);
      this.#checkClaims(key, made, held);
      this.#advance();
      return this.#store(key, made);
    });
  }

  async transact(transaction: Transaction, options: RequestOptions): Promise<Transacted> {
    checkTransaction(transaction);
    const order = transaction.keys.map(idOf).sort(byBytes);
    const taken = (at: number): Promise<Transacted> => {
      const id = order[at];
      if (id !== undefined) return this.#queue.run(id, options.deadline, () => taken(at + 1));
      return this.#turn(options).then(() => this.#transact(transaction, options));
    };
    return taken(0);
  }

  /** In one turn of the loop: nothing comes between. */
  #transact({ keys, change, guarded = [] }: Transaction, options: RequestOptions): Transacted {
    this.#checkFence(options);
    for (const each of guarded) this.#checkGuard(each);
    const made = change(keys.map((key) => this.#current(key)?.state ?? null));
    keys.forEach((key, i) => this.#checkClaims(key, made[i] ?? null, options));
    const puts = guarded.flatMap(({ key, put }) => {
      return put ? [{ key, value: put.value(made), ...(put.lease === undefined ? {} : { lease: put.lease }) }] : [];
    });
    if (puts.length > 0) void this.#clusterKeys.commit({ guards: [], puts });
    if (puts.length > 0 || made.some((each) => each !== null)) this.#advance();
    const records = keys.map((key, i) => {
      const changed = made[i] ?? null;
      return changed ? this.#store(key, changed) : this.#current(key);
    });
    return { position: this.#position, records };
  }

  submit(operation: Operation): void {
    submitByUpdate(this, operation);
  }

  async listNames(
    tenant: string,
    thing: string,
    limit: number,
    after: string | undefined,
    options: RequestOptions,
  ): Promise<NamePage> {
    const last = after === undefined ? '' : decodeNamePage(after);
    await this.#turn(options);
    const { revision } = this.#position;
    const names = this.#live(tenant)
      .filter((key) => key.thing === thing && key.name !== null && key.name > last)
      .map((key) => key.name as string)
      .sort(byBytes);
    const page = names.slice(0, limit);
    return { names: page, revision, ...(names.length > limit && { next: encodeNamePage(page.at(-1) ?? '') }) };
  }

  async listThings(
    tenant: string,
    limit: number,
    after: string | undefined,
    options: RequestOptions,
  ): Promise<ThingPage> {
    const last = after === undefined ? '' : decodeThingPage(after, tenant).thing;
    await this.#turn(options);
    const { revision } = this.#position;
    const shadows = new Map<string, (string | null)[]>();
    for (const { thing, name } of this.#live(tenant)) {
      if (thing > last) shadows.set(thing, [...(shadows.get(thing) ?? []), name]);
    }
    const things = [...shadows]
      .sort(([a], [b]) => byBytes(a, b))
      .map(([thing, names]) => ({
        thing,
        shadows: names.sort((a, b) => (a === null ? -1 : b === null ? 1 : byBytes(a, b))).slice(0, MAX_LISTED_SHADOWS),
        ...(names.length > MAX_LISTED_SHADOWS && { truncated: true as const }),
      }));
    const page = things.slice(0, limit);
    const end = page.at(-1);
    return {
      things: page,
      revision,
      ...(things.length > limit && end && { next: encodeThingPage(tenant, end.thing) }),
    };
  }

  async getBefore(key: ShadowKey, position: Position, options: RequestOptions): Promise<ShadowRecord | null> {
    await this.#turn(options);
    if (!sameHistory(position, this.#position) || position.revision - 1 > this.#position.revision) {
      throw new ServiceError('cursorGone', 'it belongs to another history');
    }
    if (position.revision - 1 < this.log.compacted) throw new ServiceError('cursorGone', 'it was compacted');
    return this.#versions.get(idOf(key))?.findLast((each) => each.position.revision < position.revision) ?? null;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#queue.close();
  }

  #current(key: ShadowKey): ShadowRecord | null {
    return this.#versions.get(idOf(key))?.at(-1) ?? null;
  }

  #revisionOf(claim: string): number | undefined {
    return this.claims.get(claim) ?? this.#clusterKeys.keys.get(claim)?.revision;
  }

  #isLost(fence: Fence | undefined): boolean {
    return fence !== undefined && (this.#revisionOf(fence.claim) ?? 0) !== fence.revision;
  }

  /** The fence with which the write may be made. */
  async #renewed(fence: Fence | undefined): Promise<Fence | undefined> {
    let held = fence;
    for (let attempt = 1; held?.again !== undefined && this.#isLost(held); attempt++)
      held = { ...held, revision: await held.again(attempt) };
    return held;
  }

  #checkFence({ signal, fence }: RequestOptions): void {
    if (signal?.aborted || this.#isLost(fence)) throw new ServiceError('fenced');
  }

  #checkGuard({ key, revision, put }: GuardedKey): void {
    const found = this.#clusterKeys.keys.get(key) ?? null;
    if ((found?.revision ?? null) !== revision) throw new GuardFailed(key, found);
    if (put?.lease === undefined || this.#clusterKeys.hasLease(put.lease)) return;
    throw new GuardedLeaseGone('the lease of a guarded key has ended');
  }

  #checkClaims(key: ShadowKey, changed: Changed | null, { fence }: RequestOptions): void {
    if (changed === null || !changesDesired(this.#current(key)?.state ?? null, changed.state)) return;
    const start = leaseKey(key.tenant, '');
    const claims = new ExclusiveClaims(
      [...this.#clusterKeys.keys].flatMap(([name, { value }]) => {
        const claim = name.startsWith(start) ? exclusiveClaimOf(value) : null;
        return claim === null ? [] : [[name, claim] as const];
      }),
    );
    const held = claims.keptFrom(key.thing, fence?.claim);
    if (held !== null) throw exclusivelyHeld(key.thing, claims.get(held)!);
  }

  #advance(): void {
    this.#position = { ...this.#position, revision: this.#position.revision + 1 };
  }

  #store(key: ShadowKey, { state, change }: Changed): ShadowRecord {
    const record: ShadowRecord = { key, state, change, position: this.#position };
    const versions = this.#versions.get(idOf(key));
    if (versions) versions.push(record);
    else this.#versions.set(idOf(key), [record]);
    this.log.append(record);
    return record;
  }

  #live(tenant: string): ShadowKey[] {
    return this.records
      .filter((record) => record.key.tenant === tenant && !isTombstone(record.state))
      .map((record) => record.key);
  }

  /** Every call waits a turn of the loop, as a call over the network would: callers cannot count on less. */
  async #turn(options: RequestOptions): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#closed) throw new ServiceError('draining');
    if (options.deadline <= this.#clock.monotonic()) throw new ServiceError('storageUnavailable');
  }
}
