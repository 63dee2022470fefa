import { isTombstone, type ShadowState } from '../../document/shadow-document.js';
import { ShadowError } from '../../document/shadow-error.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Change, Changed, RequestOptions, ShadowKey, ShadowRecord } from '../shadow-store.js';
import type { Position } from '../position.js';
import { decodeRecord, encodeRecord, RECENT_WRITES, type EtcdRecord } from './codec.js';
import { LeaseGone, type GroupCommit } from './group-commit.js';
import type { GatheredReads } from './gathered-reads.js';
import type { RawRecord } from './nested-txn.js';
import type { CasOutcome } from './pending-write.js';
import type { RecordCache } from './record-cache.js';
import { settleDoubt } from './settle-doubt.js';
import type { StorageGuard } from './storage-guard.js';
import type { TombstoneLeases } from './tombstone-leases.js';
import { WriteIds } from './write-ids.js';

export interface WriterParts {
  readonly commit: GroupCommit;
  readonly reads: GatheredReads;
  readonly cache: RecordCache;
  readonly leases: TombstoneLeases;
  readonly guard: StorageGuard;
  readonly logger: Logger;
}

/** What a change is computed on. */
interface Basis {
  readonly record: EtcdRecord | null;
  /** mod_revision of the key; 0: there is none. */
  readonly revision: number;
  /** Read from etcd for this change: a refusal computed on it is final. */
  readonly fresh: boolean;
}

type Attempt = { readonly won: EtcdRecord; readonly position: Position } | { readonly next: Basis };

/** One change of one shadow: guess, compute, compare-and-set, and again on what was there instead (DESIGN 3). */
export class ShadowWriter {
  readonly #ids = new WriteIds();

  constructor(private readonly parts: WriterParts) {}

  /** @throws ShadowError as ShadowStore.update */
  async write(key: ShadowKey, etcdKey: string, change: Change, { deadline }: RequestOptions): Promise<ShadowRecord> {
    const guess = this.parts.cache.get(etcdKey);
    let basis: Basis = guess ? { ...guess, fresh: false } : await this.read(etcdKey, deadline);
    for (;;) {
      const changed = this.compute(change, basis);
      if (changed === 'refused') {
        basis = await this.read(etcdKey, deadline);
        continue;
      }
      const attempt = await this.attempt(key, etcdKey, basis, changed, deadline);
      if ('next' in attempt) {
        basis = attempt.next;
        continue;
      }
      const { won, position } = attempt;
      this.parts.cache.offer(etcdKey, won, position.revision);
      return { key, state: won.state, change: won.change, position };
    }
  }

  private compute(change: Change, basis: Basis): Changed | 'refused' {
    const state: ShadowState | null = basis.record?.state ?? null;
    try {
      return change(state);
    } catch (error) {
      if (error instanceof ShadowError && !basis.fresh) return 'refused';
      throw error;
    }
  }

  private async attempt(
    key: ShadowKey,
    etcdKey: string,
    basis: Basis,
    { state, change }: Changed,
    deadline: number,
  ): Promise<Attempt> {
    const deleted = isTombstone(state);
    if (!deleted) this.parts.guard.check();
    const writes = [this.#ids.next(), ...(basis.record?.writes ?? [])].slice(0, RECENT_WRITES);
    const record: EtcdRecord = { state, change, writes };
    const lease = deleted ? await this.parts.leases.acquire(deadline) : undefined;
    const outcome = await this.submit(key, etcdKey, basis.revision, record, deadline, lease);
    if (outcome === 'lease-gone') return { next: basis };
    if (outcome.kind === 'won') return { won: record, position: outcome.position };
    if (outcome.kind === 'unknown') throw new ShadowError('outcomeUnknown');
    if (outcome.doubted) {
      const write = { key: etcdKey, writes, guard: basis.revision, deadline };
      const settled = await this.settle(write, outcome.current);
      if (settled.kind === 'won') return { won: record, position: { ...outcome.position, revision: settled.revision } };
      if (settled.kind === 'unknown') throw new ShadowError('outcomeUnknown');
    }
    return { next: this.basis(etcdKey, outcome.current) };
  }

  private async submit(
    { tenant }: ShadowKey,
    key: string,
    guard: number,
    record: EtcdRecord,
    deadline: number,
    lease: string | undefined,
  ): Promise<CasOutcome | 'lease-gone'> {
    const value = encodeRecord(record);
    this.parts.cache.expect(key, value, record);
    try {
      const write = { key, guard, value, deadline, tenant };
      return await this.parts.commit.submit(lease === undefined ? write : { ...write, lease });
    } catch (error) {
      if (error instanceof LeaseGone && lease !== undefined) {
        this.parts.leases.forget(lease);
        return 'lease-gone';
      }
      if (error instanceof ShadowError && error.code === 'storageFull') this.parts.guard.refused();
      throw error;
    } finally {
      this.parts.cache.unexpect(key);
    }
  }

  /** Whatever goes wrong here, the write may have been applied: never an error that says it was not. */
  private async settle(write: Parameters<typeof settleDoubt>[0], current: RawRecord | null) {
    try {
      return await settleDoubt(write, current, this.parts.reads);
    } catch (error) {
      this.parts.logger.warn({ key: write.key, err: error }, 'a write in doubt could not be settled');
      return { kind: 'unknown' as const };
    }
  }

  private async read(etcdKey: string, deadline: number): Promise<Basis> {
    const { current } = await this.parts.reads.get(etcdKey, deadline);
    return this.basis(etcdKey, current);
  }

  private basis(etcdKey: string, current: RawRecord | null): Basis {
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
 * A value that must be one of ours.
 * @throws ShadowError internal; the log names the key and the reason
 */
export function decodeStored(etcdKey: string, value: Buffer, logger: Logger): EtcdRecord {
  try {
    return decodeRecord(value);
  } catch (error) {
    logger.error({ key: etcdKey, err: error }, 'the value in etcd is not a shadow');
    throw new ShadowError('internal');
  }
}
