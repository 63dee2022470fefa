import type { Clock } from '../../../resilience/clock.js';
import type { Logger } from '../../../telemetry/logger.js';
import { MARK } from '../../../telemetry/request-trace.js';
import type { StorageMetrics } from '../../../telemetry/storage-metrics.js';
import type { Operation } from '../../operation.js';
import type { ShadowQueue } from '../../shadow-queue.js';
import type { RecordFormat } from '../codec.js';
import type { FencedBy } from '../client/nested-txn.js';
import type { ReadBatcher } from '../read/read-batcher.js';
import type { RecordCache } from '../read/record-cache.js';
import type { GroupCommit } from './group-commit.js';
import type { KnownClaims } from './known-claims.js';
import type { OwnRemovals } from './own-removals.js';
import type { QuotaGuard } from './quota-guard.js';
import { ShadowWrite } from './shadow-write.js';
import type { TombstoneLeases } from './tombstone-leases.js';
import { WriteIds } from './write-ids.js';

export interface WriterParts {
  readonly queue: ShadowQueue;
  readonly commit: GroupCommit;
  readonly reads: ReadBatcher;
  readonly cache: RecordCache;
  readonly leases: TombstoneLeases;
  readonly claims: KnownClaims;
  readonly guard: QuotaGuard;
  readonly removals: OwnRemovals;
  readonly ids: WriteIds;
  /** Form of the records that are written. */
  readonly format: RecordFormat;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics?: Pick<StorageMetrics, 'commit' | 'reads'>;
}

/** Carries out operations, those of one shadow one after the other. */
export class ShadowWriter {
  readonly #parts: WriterParts;

  constructor(parts: Omit<WriterParts, 'ids'>) {
    this.#parts = { ...parts, ids: new WriteIds() };
  }

  /** Carries out the operation when its turn comes. @param key of the shadow in etcd */
  write(operation: Operation, key: string, fence: FencedBy | undefined): void {
    operation.trace?.mark(MARK.queued);
    this.#parts.queue.enter(key, new ShadowWrite(this.#parts, operation, key, fence));
  }
}
