import { isTombstone, type ShadowState } from '../../../document/shadow-document.js';
import { StoredDocument } from '../../../document/stored-document.js';
import { ServiceError } from '../../../errors/service-error.js';
import type { Logger } from '../../../telemetry/logger.js';
import type { Change, Changed, ShadowKey, ShadowRecord } from '../../shadow-store.js';
import type { Position } from '../../position.js';
import { decodeRecord, recordText, RECENT_WRITES, type EtcdRecord } from '../codec.js';
import { LeaseGone, type GroupCommit } from './group-commit.js';
import type { ReadBatcher, ReadResult } from '../read/read-batcher.js';
import type { FencedBy, RawRecord } from '../client/nested-txn.js';
import type { CasOutcome, CasWrite } from './pending-write.js';
import type { RecordCache } from '../read/record-cache.js';
import { settleDoubt, type DoubtedWrite } from './settle-doubt.js';
import type { OwnRemovals } from './own-removals.js';
import type { QuotaGuard } from './quota-guard.js';
import type { TombstoneLeases } from './tombstone-leases.js';
import { WriteIds } from './write-ids.js';

export interface WriterParts {
  readonly commit: GroupCommit;
  readonly reads: ReadBatcher;
  readonly cache: RecordCache;
  readonly leases: TombstoneLeases;
  readonly guard: QuotaGuard;
  readonly removals: OwnRemovals;
  readonly logger: Logger;
}

/** The parts of one change that all its attempts share. */
export interface WriteTask {
  readonly key: ShadowKey;
  readonly etcdKey: string;
  /** Milliseconds of the monotonic clock. */
  readonly deadline: number;
  readonly signal?: AbortSignal | undefined;
  readonly fence?: FencedBy | undefined;
}

/** The record that a change is computed on. */
interface Basis {
  readonly record: EtcdRecord | null;
  /** mod_revision of the key; 0: the key does not exist. */
  readonly revision: number;
  /** Read from etcd for this change: an error computed on it is final. */
  readonly fresh: boolean;
}

type SettledAt = { readonly kind: 'won'; readonly position: Position } | { readonly kind: 'lost' | 'unknown' };

type Submitted = CasOutcome | { readonly kind: 'lease-gone' } | { readonly kind: 'storage-full' };

type Attempt = { readonly won: EtcdRecord; readonly position: Position } | { readonly next: Basis };

/** Makes one change of one shadow: guess, compute, compare-and-set, and once more on the record that it lost to. */
export class ShadowWriter {
  readonly #ids = new WriteIds();

  constructor(private readonly parts: WriterParts) {}

  /** @throws ServiceError as ShadowStore.update */
  async write(task: WriteTask, change: Change): Promise<ShadowRecord> {
    const { key, etcdKey, deadline, signal } = task;
    const guess = this.parts.cache.get(etcdKey);
    let basis: Basis = guess ? { ...guess, fresh: false } : await this.#read(etcdKey, deadline);
    for (;;) {
      // Another node may have made this change since: computing it again would undo later changes.
      if (signal?.aborted) throw new ServiceError('fenced');
      const changed = this.#compute(change, basis);
      if (changed === 'refused') {
        basis = await this.#read(etcdKey, deadline);
        continue;
      }
      const attempt = await this.#attempt(task, basis, changed);
      if ('next' in attempt) {
        basis = attempt.next;
        continue;
      }
      const { won, position } = attempt;
      // The key was removed: no record is left to guess on.
      if (won.bytes === 0) this.parts.cache.forget(etcdKey);
      else this.parts.cache.offer(etcdKey, won, position.revision);
      return { key, state: won.state, change: won.change, position, bytes: won.bytes };
    }
  }

  #compute(change: Change, basis: Basis): Changed | 'refused' {
    const state: ShadowState | null = basis.record?.state ?? null;
    try {
      return change(state);
    } catch (error) {
      if (error instanceof ServiceError && !basis.fresh) return 'refused';
      throw error;
    }
  }

  async #attempt(task: WriteTask, basis: Basis, changed: Changed): Promise<Attempt> {
    const { key, etcdKey, deadline, signal, fence } = task;
    const { change } = changed;
    const deleted = isTombstone(changed.state);
    const state = isTombstone(changed.state) ? changed.state : StoredDocument.of(changed.state);
    if (!deleted) this.parts.guard.check();
    const before = basis.record?.writes.slice(0, RECENT_WRITES - 1) ?? [];
    const writes = [this.#ids.next(), ...before];
    const text = recordText({ state, change, writes });
    const value = Buffer.from(text);
    const record: EtcdRecord = { state, change, writes, text, bytes: value.length };
    const lease = deleted ? await this.#lease(deadline) : undefined;
    if (lease === null) return this.#remove(task, basis, { state, change });
    const put = {
      key: etcdKey,
      guard: basis.revision,
      value,
      deadline,
      signal,
      tenant: key.tenant,
      ...(lease === undefined ? {} : { lease }),
      ...(fence === undefined ? {} : { fence }),
    };
    const outcome = await this.#submit(put, record);
    if (outcome.kind === 'lease-gone') return { next: basis };
    if (outcome.kind === 'won') return { won: record, position: outcome.position };
    if (outcome.kind === 'unknown') throw new ServiceError('outcomeUnknown');
    if (outcome.kind === 'storage-full' || outcome.doubted) {
      const settled = await this.#settle({ ...put, writes }, outcome.kind === 'lost' ? outcome : null);
      if (settled.kind === 'won') return { won: record, position: settled.position };
      if (settled.kind === 'unknown') throw new ServiceError('outcomeUnknown');
      if (outcome.kind === 'storage-full') {
        if (deleted) return this.#remove(task, basis, { state, change });
        throw new ServiceError('storageFull');
      }
    }
    if (outcome.fenced) throw new ServiceError('fenced');
    return { next: this.#basis(etcdKey, outcome.current) };
  }

  /** The id of a lease; null: a full etcd grants none. */
  async #lease(deadline: number): Promise<string | null> {
    try {
      return await this.parts.leases.acquire(deadline);
    } catch (error) {
      if (error instanceof ServiceError && error.code === 'storageFull') return null;
      throw error;
    }
  }

  /**
   * Removes the record under its guard: a full etcd accepts that, but no tombstone. The shadow is deleted as always,
   * except that its version is forgotten.
   */
  async #remove(task: WriteTask, basis: Basis, changed: Changed): Promise<Attempt> {
    const { key, etcdKey, deadline, signal, fence } = task;
    this.parts.removals.add(etcdKey, basis.revision, changed);
    const write = { key: etcdKey, guard: basis.revision, value: null, deadline, signal, tenant: key.tenant };
    const outcome = await this.parts.commit.submit(fence === undefined ? write : { ...write, fence });
    const { state, change } = changed;
    if (outcome.kind === 'won')
      return { won: { state, change, writes: [], text: '', bytes: 0 }, position: outcome.position };
    if (outcome.kind === 'unknown') throw new ServiceError('outcomeUnknown');
    // A removal leaves no id to find it by. A key that still has the guard's revision was not removed.
    if (outcome.doubted && outcome.current?.revision !== basis.revision) throw new ServiceError('outcomeUnknown');
    if (outcome.fenced) throw new ServiceError('fenced');
    return { next: this.#basis(etcdKey, outcome.current) };
  }

  async #submit(write: CasWrite & { readonly value: Buffer }, record: EtcdRecord): Promise<Submitted> {
    this.parts.cache.expect(write.key, write.value, record);
    try {
      return await this.parts.commit.submit(write);
    } catch (error) {
      if (error instanceof LeaseGone && write.lease !== undefined) {
        this.parts.leases.forget(write.lease);
        return { kind: 'lease-gone' };
      }
      if (error instanceof ServiceError && error.code === 'storageFull') {
        this.parts.guard.refused();
        return { kind: 'storage-full' };
      }
      throw error;
    } finally {
      this.parts.cache.unexpect(write.key);
    }
  }

  /**
   * Finds out whether a write was applied. Every fault here counts as `unknown`: no error may claim that it was not.
   * @param found the present record; null: read it
   */
  async #settle(write: DoubtedWrite, found: ReadResult | null): Promise<SettledAt> {
    try {
      const { current, position } = found ?? (await this.parts.reads.get(write.key, write.deadline));
      const settled = await settleDoubt(write, current, this.parts.reads);
      if (settled.kind !== 'won') return { kind: settled.kind };
      return { kind: 'won', position: { ...position, revision: settled.revision } };
    } catch (error) {
      this.parts.logger.warn({ key: write.key, err: error }, 'a write in doubt could not be settled');
      return { kind: 'unknown' };
    }
  }

  async #read(etcdKey: string, deadline: number): Promise<Basis> {
    const { current } = await this.parts.reads.get(etcdKey, deadline);
    return this.#basis(etcdKey, current);
  }

  #basis(etcdKey: string, current: RawRecord | null): Basis {
    if (!current) {
      this.parts.cache.forget(etcdKey);
      return { record: null, revision: 0, fresh: true };
    }
    const record = decodeStored(etcdKey, current.value, this.parts.logger);
    this.parts.cache.offer(etcdKey, record, current.revision);
    return { record, revision: current.revision, fresh: true };
  }
}

/**
 * Decodes a value that must be a shadow record.
 * @throws ServiceError internal; the log names the key and the reason
 */
export function decodeStored(etcdKey: string, value: Buffer, logger: Logger): EtcdRecord {
  try {
    return decodeRecord(value);
  } catch (error) {
    logger.error({ key: etcdKey, err: error }, 'the value in etcd is not a shadow');
    throw new ServiceError('internal');
  }
}
