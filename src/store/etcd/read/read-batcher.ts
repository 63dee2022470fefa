import type { IKeyValue } from 'etcd3';
import type { Clock } from '../../../resilience/clock.js';
import { ServiceError } from '../../../errors/service-error.js';
import type { Logger } from '../../../telemetry/logger.js';
import { DeadlineSweep, type Expirable } from '../../../resilience/deadline-sweep.js';
import type { Position } from '../../position.js';
import type { EtcdMembers } from '../client/members.js';
import { isOutsideHistory } from '../client/etcd-error.js';
import type { Lineage } from '../lineage.js';
import { toRawRecord, type RawRecord } from '../client/nested-txn.js';
import { SendSlots } from '../client/send-slots.js';

const MAX_READS = 100;
/** More than write slots: reads cost etcd no fsync. */
const IN_FLIGHT = 4;
const MAX_QUEUED = 20_000;

export interface ReadResult {
  readonly current: RawRecord | null;
  /** Position at which the whole batch was read. */
  readonly position: Position;
}

interface PendingRead extends Expirable {
  readonly key: string;
  /** Read as of this revision; null: now. */
  readonly revision: number | null;
  settled: boolean;
  resolve(result: ReadResult): void;
  reject(error: Error): void;
}

/**
 * Joins the reads of many callers into one Txn, which costs one linearizable read. Its range operations make it
 * linearizable: a member answers a Txn of compares alone from its own state, however old (ETCD 3.1).
 */
export class ReadBatcher {
  #queue: PendingRead[] = [];
  readonly #slots: SendSlots<PendingRead>;
  readonly #sweep: DeadlineSweep<PendingRead>;
  #closed = false;

  constructor(
    private readonly cluster: EtcdMembers,
    private readonly history: Lineage,
    clock: Clock,
    private readonly logger: Logger,
  ) {
    this.#sweep = new DeadlineSweep(clock);
    this.#slots = new SendSlots(
      IN_FLIGHT,
      () => this.#queue.splice(0, MAX_READS),
      (batch) => this.#answer(batch),
    );
  }

  /**
   * The value of `key`, now or as of `revision`.
   * @param deadline milliseconds of the monotonic clock
   * @throws ServiceError storageUnavailable, tooManyRequests, draining; cursorGone when `revision` is not in the history
   */
  get(key: string, deadline: number, revision: number | null = null): Promise<ReadResult> {
    if (this.#closed) return Promise.reject(new ServiceError('draining'));
    if (this.#queue.length >= MAX_QUEUED) {
      return Promise.reject(new ServiceError('tooManyRequests', `${MAX_QUEUED} reads wait on this node already`));
    }
    return new Promise((resolve, reject) => {
      const read: PendingRead = {
        key,
        revision,
        deadline,
        settled: false,
        resolve: (result) => ((read.settled = true), resolve(result)),
        reject: (error) => ((read.settled = true), reject(error)),
        expire: () => read.reject(new ServiceError('storageUnavailable')),
      };
      this.#sweep.add(read);
      this.#queue.push(read);
      this.#slots.kick();
    });
  }

  /** Rejects all waiting reads with `draining`. */
  close(): void {
    this.#closed = true;
    this.#queue = [];
    for (const read of this.#sweep.items) if (!read.settled) read.reject(new ServiceError('draining'));
  }

  async #answer(batch: readonly PendingRead[]): Promise<void> {
    const open = batch.filter((read) => !read.settled);
    if (open.length === 0) return;
    try {
      const { header, values } = await this.#fetch(open);
      const position = this.history.position(header);
      open.forEach((read, i) => read.resolve({ current: toRawRecord(values[i]), position }));
    } catch (error) {
      // One compacted revision fails the whole Txn: it is split until the bad read is alone.
      if (open.length > 1 && !(error instanceof ServiceError)) {
        const half = Math.ceil(open.length / 2);
        await this.#answer(open.slice(0, half));
        return this.#answer(open.slice(half));
      }
      for (const read of open) read.reject(this.#translate(error, read.key));
    }
  }

  async #fetch(reads: readonly PendingRead[]) {
    // Reads of the same key and revision share one operation.
    const slots = new Map<string, number>();
    const ranges: { key: Buffer; revision?: string }[] = [];
    const slotOf = reads.map(({ key, revision }) => {
      const id = `${revision ?? ''}@${key}`;
      const known = slots.get(id);
      if (known !== undefined) return known;
      slots.set(id, ranges.length);
      ranges.push({ key: Buffer.from(key), ...(revision === null ? {} : { revision: String(revision) }) });
      return ranges.length - 1;
    });
    const deadline = Math.max(...reads.map((read) => read.deadline));
    const request = { success: ranges.map((request_range) => ({ request_range })) };
    const { header, responses } = await this.cluster.read((client, call) => client.kv.txn(request, call), deadline);
    const values = slotOf.map((slot): IKeyValue | undefined => responses[slot]?.response_range.kvs[0]);
    return { header, values };
  }

  #translate(error: unknown, key: string): Error {
    if (error instanceof ServiceError) return error;
    if (isOutsideHistory(error)) return new ServiceError('cursorGone', 'it was compacted');
    this.logger.error({ key, err: error }, 'etcd rejects a read');
    return new ServiceError('storageUnavailable');
  }
}
