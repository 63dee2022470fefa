import type { Clock } from '../../../resilience/clock.js';
import { ServiceError } from '../../../errors/service-error.js';
import type { Logger } from '../../../telemetry/logger.js';
import type { Position } from '../../position.js';
import { classify, type EtcdFault } from '../client/etcd-error.js';
import type { EtcdMembers } from '../client/members.js';
import type { FlatKey, RawRecord } from '../client/nested-txn.js';
import { encodeFlatTxn, sizeOfFlat, TXN_PATH } from '../client/protobuf/txn-request.js';
import { decodeFlatTxn } from '../client/protobuf/txn-response.js';
import type { Lineage } from '../lineage.js';
import { LeaseGone } from './group-commit.js';

/** Bytes of one request; etcd rejects requests above 1.5 MiB. */
const MAX_BYTES = 1024 * 1024;
/** Milliseconds that are too short for one more attempt: it would only turn "not written" into "unknown". */
export const MARGIN_MS = 30;

export interface FlatCommitParts {
  readonly cluster: EtcdMembers;
  readonly history: Lineage;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A flat Txn on its way. */
export interface FlatWrite {
  readonly keys: readonly FlatKey[];
  /** Milliseconds of the monotonic clock. */
  readonly deadline: number;
  /** No attempt begins after its abort. */
  readonly signal: AbortSignal | undefined;
  /** The watch has delivered the write: it is committed, whatever becomes of its answer (ADR 0013). */
  readonly told: Promise<Position>;
  /** Whether the store has been closed. */
  isClosed(): boolean;
}

/**
 * - `won`: committed at `position`; without puts, all guards held there.
 * - `lost`: a guard did not hold at `position`. `current` has the keys as they were there, in their order. With
 *   `doubted` an earlier attempt may have been applied, which must be settled first.
 * - `full`: etcd has no space. The write will not be applied, but may have been (etcd-error.ts).
 * - `unknown`: it may have been applied, or may yet be.
 */
export type FlatOutcome =
  | { readonly kind: 'won'; readonly position: Position }
  | {
      readonly kind: 'lost';
      readonly current: readonly (RawRecord | null)[];
      readonly position: Position;
      readonly doubted: boolean;
    }
  | { readonly kind: 'full' }
  | { readonly kind: 'unknown' };

/**
 * Sends the same guarded keys until etcd answers: the guards make an attempt that arrives late harmless.
 * @throws ServiceError storageUnavailable, tooLarge, fenced, draining; LeaseGone. After each of them nothing was written
 * and nothing will be
 */
export async function commitFlat(write: FlatWrite, parts: FlatCommitParts): Promise<FlatOutcome> {
  const sizeBytes = write.keys.reduce((sum, key) => sum + sizeOfFlat(key), 0);
  if (sizeBytes > MAX_BYTES) {
    throw new ServiceError('tooLarge', `: the shadows of a transaction take at most ${MAX_BYTES} bytes together`);
  }
  const request = encodeFlatTxn(write.keys, sizeBytes);
  let isTold = false;
  const told = write.told.then((position): FlatOutcome => {
    isTold = true;
    return { kind: 'won', position };
  });
  return Promise.race([told, send(write, request, parts, () => isTold)]);
}

async function send(
  write: FlatWrite,
  request: Buffer,
  parts: FlatCommitParts,
  isTold: () => boolean,
): Promise<FlatOutcome> {
  const { cluster, history, clock } = parts;
  let doubted = false;
  for (let attempt = 0; ; attempt++) {
    // Nobody listens any more.
    if (isTold()) return { kind: 'unknown' };
    const now = clock.monotonic();
    const over = whyNoAttempt(write, now);
    if (over) return unlessDoubted(doubted, over);
    const member = cluster.current();
    const timeoutMs = Math.max(1, Math.min(cluster.callTimeoutMs, write.deadline - now - MARGIN_MS));
    try {
      const answer = await cluster.send(member, TXN_PATH, request, timeoutMs);
      const { header, won, records } = decodeFlatTxn(answer, write.keys.length);
      const position = history.position(header);
      return won ? { kind: 'won', position } : { kind: 'lost', current: records, position, doubted };
    } catch (error) {
      // The end of the connections says nothing about what had left over them.
      if (write.isClosed()) return { kind: 'unknown' };
      const fault = classify(error);
      if (fault !== 'in-doubt' && fault !== 'not-applied') return refused(fault, error, doubted, parts.logger);
      doubted ||= fault === 'in-doubt';
      cluster.rotate(member, error);
      await cluster.pause(attempt, write.deadline);
    }
  }
}

/** Why no attempt may begin at `now`; null: one may. */
function whyNoAttempt({ deadline, signal, isClosed }: FlatWrite, now: number): ServiceError | null {
  if (isClosed()) return new ServiceError('draining');
  if (signal?.aborted) return new ServiceError('fenced');
  return deadline - now <= MARGIN_MS ? new ServiceError('storageUnavailable') : null;
}

function unlessDoubted(doubted: boolean, error: Error): FlatOutcome {
  if (doubted) return { kind: 'unknown' };
  throw error;
}

function refused(fault: EtcdFault, error: unknown, doubted: boolean, logger: Logger): FlatOutcome {
  if (fault === 'storage-full') return { kind: doubted ? 'unknown' : 'full' };
  if (fault === 'lease-gone') return unlessDoubted(doubted, new LeaseGone());
  logger.error({ err: error }, 'etcd rejects a transaction');
  if (fault === 'too-large') return unlessDoubted(doubted, new ServiceError('tooLarge', ': etcd takes less at once'));
  return unlessDoubted(doubted, new ServiceError('storageUnavailable'));
}
