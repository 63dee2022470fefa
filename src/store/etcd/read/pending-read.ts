import { ServiceError } from '../../../errors/service-error.js';
import type { Expirable } from '../../../resilience/deadline-sweep.js';
import type { Position } from '../../position.js';
import type { KeyRead, RawRecord } from '../client/nested-txn.js';

export interface ReadResult {
  /** Its value is a view of the answer to a whole batch: whoever keeps it copies it. */
  readonly current: RawRecord | null;
  /** Position at which the whole batch was read. */
  readonly position: Position;
}

/** A read on its way, settled exactly once. */
export class PendingRead implements KeyRead, Expirable {
  settled = false;

  /**
   * @param revision as of which it reads; null: now
   * @param deadline milliseconds of the monotonic clock
   */
  constructor(
    readonly key: string,
    readonly revision: number | null,
    readonly deadline: number,
    private readonly resolve: (result: ReadResult) => void,
    private readonly reject: (error: Error) => void,
  ) {}

  /** Reads of the same name share one operation. Keys have no NUL. */
  get name(): string {
    return this.revision === null ? this.key : `${this.key}\0${this.revision}`;
  }

  /** Ends it with its result; later calls have no effect. No errors. */
  settle(result: ReadResult): void {
    if (this.settled) return;
    this.settled = true;
    this.resolve(result);
  }

  /** Ends it with `error`. No errors. */
  refuse(error: Error): void {
    if (this.settled) return;
    this.settled = true;
    this.reject(error);
  }

  /** Ends it because its deadline has passed. */
  expire(): void {
    this.refuse(new ServiceError('storageUnavailable'));
  }
}
