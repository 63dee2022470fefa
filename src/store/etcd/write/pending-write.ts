import { ServiceError } from '../../../errors/service-error.js';
import type { Position } from '../../position.js';
import { MARK, type RequestTrace } from '../../../telemetry/request-trace.js';
import type { Expirable } from '../../../resilience/deadline-sweep.js';
import { isValueOf } from '../codec.js';
import type { FencedBy, GuardedPut, RawRecord } from '../client/nested-txn.js';
import { sizeOf } from '../client/protobuf/txn-request.js';

/** One CAS write; the guard makes at most one of all attempts to send it win (ETCD 3.3). */
export interface CasWrite extends GuardedPut {
  /** Milliseconds of the monotonic clock. */
  readonly deadline: number;
  /** Batches are fair across tenants. */
  readonly tenant: string;
  /** No attempt begins after its abort. */
  readonly signal?: AbortSignal | undefined;
  /**
   * A key that the whole batch compares, once for all of its writes that name it. Writes that rely on the same revision
   * share one object.
   */
  readonly turn?: FencedBy | undefined;
  /** As in RequestOptions. */
  readonly trace?: RequestTrace | null | undefined;
}

/**
 * - `won`: committed, at `position`.
 * - `lost`: the guard did not hold at `position` or, with `fenced`, the fence did not. `current` is the record at
 *   `position`. With `doubted` an earlier attempt of this write may have been applied, which must be settled first.
 * - `moved`: the turn is no longer what the write relies on; with `doubted` as above.
 * - `unknown`: the deadline passed; the write may have been applied, or may yet be.
 */
export type CasOutcome =
  | { readonly kind: 'won'; readonly position: Position }
  | {
      readonly kind: 'lost';
      readonly current: RawRecord | null;
      readonly position: Position;
      readonly doubted: boolean;
      readonly fenced: boolean;
    }
  | { readonly kind: 'moved'; readonly doubted: boolean }
  | { readonly kind: 'unknown' };

/** Whose write it is. Exactly one of the two is called, once. Neither may throw. */
export interface WriteOwner {
  /** The write has ended with this outcome. */
  settled(outcome: CasOutcome): void;
  /** It was certainly not applied; with storageFull it will not be, but may have been (etcd-error.ts). */
  refused(error: Error): void;
}

/** A write on its way, settled exactly once. */
export class PendingWrite implements Expirable {
  settled = false;
  /** An attempt has begun. */
  wasSent = false;
  /** An attempt may have been applied although no answer came. Never goes back to false. */
  doubted = false;
  /** An attempt is under way. */
  sent = false;
  /** Bytes of this write in a request. */
  readonly bytes: number;

  constructor(
    readonly write: CasWrite,
    private readonly owner: WriteOwner,
    private readonly onSettled: (pending: PendingWrite, result: CasOutcome['kind'] | 'refused') => void,
    /** Milliseconds of the monotonic clock. */
    readonly since: number,
  ) {
    this.bytes = sizeOf(write);
  }

  /** Whether `value`, which etcd has stored, is of this write: its id tells, or the whole value. No errors. */
  hasMade(value: Buffer): boolean {
    const own = this.write.value;
    if (own === null) return false;
    return isValueOf(typeof own === 'string' ? own : own.toString(), value);
  }

  get deadline(): number {
    return this.write.deadline;
  }

  /** Ends it with its outcome; later calls have no effect. No errors. */
  settle(outcome: CasOutcome): void {
    if (this.settled) return;
    this.settled = true;
    const { trace } = this.write;
    if (trace) this.#note(trace);
    this.onSettled(this, outcome.kind);
    this.owner.settled(outcome);
  }

  /** Ends it with `error` when it was certainly not applied, else with `unknown`. No errors. */
  refuse(error: Error): void {
    if (this.settled) return;
    if (this.sent || this.doubted) return this.settle({ kind: 'unknown' });
    this.settled = true;
    this.onSettled(this, 'refused');
    this.owner.refused(error);
  }

  #note(trace: RequestTrace): void {
    trace.mark(MARK.written);
    if (this.doubted) trace.doubted = true;
  }

  /** Ends it when its signal is aborted: no attempt is under way or may begin. */
  checkSignal(): void {
    if (this.write.signal?.aborted) this.refuse(new ServiceError('fenced'));
  }

  /** Ends it because its deadline has passed. */
  expire(): void {
    this.refuse(new ServiceError('storageUnavailable'));
  }
}
