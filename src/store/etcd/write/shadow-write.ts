import { isTombstone, type ShadowState } from '../../../document/shadow-document.js';
import { StoredDocument } from '../../../document/stored-document.js';
import type { ServiceErrorCode } from '../../../errors/error-table.js';
import { ServiceError } from '../../../errors/service-error.js';
import { MARK, type RequestTrace } from '../../../telemetry/request-trace.js';
import type { Operation } from '../../operation.js';
import type { Position } from '../../position.js';
import type { Changed } from '../../shadow-store.js';
import { changesDesired } from '../../exclusive-claims.js';
import type { QueuedChange } from '../../shadow-queue.js';
import type { FencedBy, RawRecord } from '../client/nested-txn.js';
import { recordText, withWrite, type EtcdRecord } from '../codec.js';
import type { ReadResult } from '../read/read-batcher.js';
import { decodeStored } from './decode-stored.js';
import { LeaseGone } from './group-commit.js';
import type { TenantClaims } from './known-claims.js';
import type { CasOutcome, CasWrite, WriteOwner } from './pending-write.js';
import { settleDoubt, type Settled } from './settle-doubt.js';
import type { WriterParts } from './shadow-writer.js';

type Lost = Extract<CasOutcome, { kind: 'lost' }>;

/**
 * One change of one shadow: guess, compute, compare-and-set, and once more on the record that it lost to. It is the
 * write of each of its attempts, one after the other, so that a change costs few objects and no promise while its guess
 * holds (ADR 0020). Every way ends in `#succeed` or `#fail`.
 */
export class ShadowWrite implements QueuedChange, CasWrite, WriteOwner {
  guard = 0;
  value: string | null = null;
  lease: string | undefined = undefined;
  turn: TenantClaims | undefined = undefined;
  /** The record that the change is computed on; null: there is none. */
  #basis: EtcdRecord | null = null;
  /** mod_revision of the key with that record; 0: the key does not exist. */
  #basisRevision = 0;
  /** As in `#try`. */
  #isFresh = false;
  #changed: Changed | null = null;
  /** How often the claim of the fence was another. */
  #fencings = 0;
  /** The record that the attempt under way stores; null: it removes the key. */
  #record: EtcdRecord | null = null;

  /** @param key of the shadow in etcd */
  constructor(
    private readonly parts: WriterParts,
    private readonly operation: Operation,
    readonly key: string,
    public fence: FencedBy | undefined,
  ) {}

  get deadline(): number {
    return this.operation.deadline;
  }

  get signal(): AbortSignal | undefined {
    return this.operation.signal;
  }

  get tenant(): string {
    return this.operation.key.tenant;
  }

  get trace(): RequestTrace | null | undefined {
    return this.operation.trace;
  }

  begin(): void {
    this.trace?.mark(MARK.begun);
    if (this.deadline <= this.parts.clock.monotonic()) return this.#fail(new ServiceError('storageUnavailable'));
    const guess = this.parts.cache.get(this.key);
    const reads = this.parts.metrics?.reads;
    reads?.lookups.add(guess ? reads.hit : reads.miss);
    if (guess) this.#try(guess.record, guess.revision, false);
    else this.#tryFresh();
  }

  failed(error: unknown): void {
    try {
      this.operation.failed(error);
    } catch (failure) {
      this.parts.logger.error({ key: this.key, err: failure }, 'a failed change was not answered');
    }
  }

  settled(outcome: CasOutcome): void {
    if (outcome.kind === 'moved') return this.#moved(outcome.doubted);
    if (this.#record === null) return this.#removed(outcome);
    this.parts.cache.unexpect(this.key);
    if (outcome.kind === 'won') return this.#succeed(this.#record, outcome.position);
    if (outcome.kind === 'unknown') return this.#fail(new ServiceError('outcomeUnknown'));
    if (outcome.doubted) return this.#settle(this.#record, outcome);
    this.#lost(outcome);
  }

  refused(error: Error): void {
    if (this.#record === null) return this.#fail(error);
    const { cache, leases, guard } = this.parts;
    cache.unexpect(this.key);
    if (error instanceof LeaseGone && this.lease !== undefined) {
      leases.forget(this.lease);
      return this.#try(this.#basis, this.#basisRevision, this.#isFresh);
    }
    if (!isStorageFull(error)) return this.#fail(error);
    guard.refused();
    this.#settle(this.#record, null);
  }

  /**
   * @param basis the record that the change is computed on
   * @param fresh it was read from etcd for this change: an error computed on it is final
   */
  #try(basis: EtcdRecord | null, revision: number, fresh: boolean): void {
    try {
      // Another node may have made this change since: computing it again would undo later changes.
      if (this.signal?.aborted) throw new ServiceError('fenced');
      const changed = this.#compute(basis, fresh);
      if (changed === 'refused') return this.#tryFresh();
      this.#basis = basis;
      this.#basisRevision = revision;
      this.#isFresh = fresh;
      this.#changed = changed;
      if (!changesDesired(basis?.state ?? null, changed.state)) this.#store(undefined);
      else this.#claim();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Goes on unless an exclusive lease of others is about the thing. */
  #claim(): void {
    const { key, deadline } = this.operation;
    const { tenant, thing } = key;
    const { claims } = this.parts;
    const { fence } = this;
    const turn = claims.passing(tenant, thing, fence);
    if (turn !== undefined) return this.#store(turn);
    claims
      .admit({ tenant, things: [thing], fence, deadline })
      .then((admitted) => this.#store(admitted))
      .catch((error: unknown) => (isCode(error, 'fenced') ? this.#fenced() : this.#fail(error)));
  }

  /** @param turn what the commit is to compare; undefined: the change leaves `desired` alone */
  #store(turn: TenantClaims | undefined): void {
    const changed = this.#changed!;
    this.turn = turn;
    if (isTombstone(changed.state)) return this.#bury(changed);
    this.parts.guard.check();
    this.#put(changed, undefined);
  }

  /** An exclusive lease was taken since. */
  #moved(doubted: boolean): void {
    this.parts.claims.moved(this.turn!);
    if (this.#record !== null) this.parts.cache.unexpect(this.key);
    if (!doubted) return this.#try(this.#basis, this.#basisRevision, this.#isFresh);
    this.parts.reads.get(this.key, this.deadline).then(
      ({ current, position }) => this.settled({ kind: 'lost', current, position, doubted, fenced: false }),
      () => this.#fail(new ServiceError('outcomeUnknown')),
    );
  }

  #tryFresh(): void {
    this.trace?.mark(MARK.reading);
    this.parts.reads.get(this.key, this.deadline).then(
      ({ current }) => {
        this.trace?.mark(MARK.read);
        this.#tryOn(current);
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #tryOn(current: RawRecord | null): void {
    let basis: EtcdRecord | null;
    try {
      basis = this.#take(current);
    } catch (error) {
      return this.#fail(error);
    }
    this.#try(basis, current?.revision ?? 0, true);
  }

  #compute(basis: EtcdRecord | null, fresh: boolean): Changed | 'refused' {
    const state: ShadowState | null = basis?.state ?? null;
    try {
      return this.operation.change(state);
    } catch (error) {
      if (error instanceof ServiceError && !fresh) return 'refused';
      throw error;
    }
  }

  #put({ state: made, change }: Changed, lease: string | undefined): void {
    const { ids, cache, commit } = this.parts;
    const writes = withWrite(ids.next(), this.#basis?.writes ?? '');
    const state = isTombstone(made) ? made : StoredDocument.of(made);
    const text = recordText({ state, change, writes }, this.parts.format);
    const { key } = this.operation;
    const record: EtcdRecord = { state, change, writes, text, bytes: Buffer.byteLength(text), key };
    this.guard = this.#basisRevision;
    this.value = text;
    this.lease = lease;
    this.#record = record;
    cache.expect(this.key, record);
    commit.add(this, this);
  }

  /** Stores a tombstone under a lease; a full etcd grants none. */
  #bury(changed: Changed): void {
    this.parts.leases
      .acquire(this.deadline)
      .then(
        (lease) => this.#put(changed, lease),
        (error: unknown) => (isStorageFull(error) ? this.#remove(changed) : this.#fail(error)),
      )
      .catch((error: unknown) => this.#fail(error));
  }

  /**
   * Removes the record under its guard: a full etcd accepts that, but no tombstone. The shadow is deleted as always,
   * except that its version is forgotten.
   */
  #remove(changed: Changed): void {
    this.parts.removals.add(this.key, this.#basisRevision, changed);
    this.guard = this.#basisRevision;
    this.value = null;
    this.lease = undefined;
    this.#record = null;
    this.parts.commit.add(this, this);
  }

  #removed(outcome: Exclude<CasOutcome, { kind: 'moved' }>): void {
    if (outcome.kind === 'unknown') return this.#fail(new ServiceError('outcomeUnknown'));
    if (outcome.kind === 'won') {
      const { state, change } = this.#changed!;
      return this.#succeed({ state, change, writes: '', text: '', bytes: 0 }, outcome.position);
    }
    // A removal leaves no id to find it by. A key that still has the guard's revision was not removed.
    if (outcome.doubted && outcome.current?.revision !== this.guard)
      return this.#fail(new ServiceError('outcomeUnknown'));
    this.#lost(outcome);
  }

  #lost({ fenced, current }: Lost): void {
    if (fenced) this.#fenced();
    else this.#tryOn(current);
  }

  /** Goes on with the claim as it is, if its holder says so. */
  #fenced(): void {
    const { fence } = this;
    const again = this.operation.fence?.again;
    if (fence === undefined || again === undefined) return this.#fail(new ServiceError('fenced'));
    again(++this.#fencings)
      .then((revision) => {
        this.fence = { ...fence, revision };
        this.#tryFresh();
      })
      .catch((error: unknown) => this.#fail(error));
  }

  /** @param lost null: a full etcd has rejected the write, and may have applied it */
  #settle(record: EtcdRecord, lost: Lost | null): void {
    void this.#find(record, lost).then(([settled, position]) => {
      const commit = this.parts.metrics?.commit;
      commit?.doubts.add(commit.byWriteId[settled.kind]);
      if (settled.kind === 'unknown' || position === null) return this.#fail(new ServiceError('outcomeUnknown'));
      if (settled.kind === 'won') return this.#succeed(record, { ...position, revision: settled.revision });
      if (lost !== null) return this.#lost(lost);
      if (isTombstone(record.state)) return this.#remove(this.#changed!);
      this.#fail(new ServiceError('storageFull'));
    });
  }

  /** Finds out whether the write was applied. Every fault here counts as `unknown`: no error may claim that it was not. */
  async #find(record: EtcdRecord, found: ReadResult | null): Promise<[Settled, Position | null]> {
    const { key, guard, deadline } = this;
    try {
      const { current, position } = found ?? (await this.parts.reads.get(key, deadline));
      const write = { key, guard, deadline, writes: record.writes };
      return [await settleDoubt(write, current, this.parts.reads), position];
    } catch (error) {
      this.parts.logger.warn({ key, err: error }, 'a write in doubt could not be settled');
      return [{ kind: 'unknown' }, null];
    }
  }

  /** Decodes what etcd has, and keeps it as the guess of later writes. */
  #take(current: RawRecord | null): EtcdRecord | null {
    const { cache, logger } = this.parts;
    if (!current) {
      cache.forget(this.key);
      return null;
    }
    const record = decodeStored(this.key, current.value, logger);
    cache.offer(this.key, record, current.revision);
    return record;
  }

  #succeed(record: EtcdRecord, position: Position): void {
    const { state, change, bytes } = record;
    const { cache, queue } = this.parts;
    // The key was removed: no record is left to guess on.
    if (bytes === 0) cache.forget(this.key);
    else cache.offer(this.key, record, position.revision);
    const { operation } = this;
    try {
      operation.committed({ key: operation.key, state, change, position, bytes });
    } catch (error) {
      this.parts.logger.error({ key: this.key, err: error }, 'a committed change was not answered');
    }
    queue.leave(this.key);
  }

  #fail(error: unknown): void {
    this.failed(error);
    this.parts.queue.leave(this.key);
  }
}

const isCode = (error: unknown, code: ServiceErrorCode): boolean =>
  error instanceof ServiceError && error.code === code;
const isStorageFull = (error: unknown): boolean => isCode(error, 'storageFull');
