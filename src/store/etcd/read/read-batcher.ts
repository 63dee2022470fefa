import type { Clock } from '../../../resilience/clock.js';
import { ServiceError } from '../../../errors/service-error.js';
import type { Logger } from '../../../telemetry/logger.js';
import { ReadMetrics } from '../../../telemetry/storage-metrics.js';
import { DeadlineSweep } from '../../../resilience/deadline-sweep.js';
import type { EtcdMembers } from '../client/members.js';
import { isOutsideHistory } from '../client/etcd-error.js';
import type { Lineage } from '../lineage.js';
import { BadMessage } from '../client/protobuf/proto-reader.js';
import { encodeReads, TXN_PATH } from '../client/protobuf/txn-request.js';
import { decodeReads } from '../client/protobuf/txn-response.js';
import { SendSlots } from '../client/send-slots.js';
import { PendingRead, type ReadResult } from './pending-read.js';

export type { ReadResult };

const MAX_READS = 100;
/** More than write slots: reads cost etcd no fsync. */
const IN_FLIGHT = 4;
const MAX_QUEUED = 20_000;

/** Joins the reads of many callers into one Txn, which costs one linearizable read. */
export class ReadBatcher {
  #queue: PendingRead[] = [];
  readonly #slots: SendSlots<PendingRead>;
  readonly #sweep: DeadlineSweep<PendingRead>;
  #closed = false;

  constructor(
    private readonly cluster: EtcdMembers,
    private readonly history: Lineage,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly metrics = new ReadMetrics(),
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
      const read = new PendingRead(key, revision, deadline, resolve, reject);
      this.#sweep.add(read);
      this.#queue.push(read);
      this.#slots.kick();
    });
  }

  /** Rejects all waiting reads with `draining`. */
  close(): void {
    this.#closed = true;
    this.#queue = [];
    for (const read of this.#sweep.items) read.refuse(new ServiceError('draining'));
  }

  async #answer(batch: readonly PendingRead[]): Promise<void> {
    const open = batch.filter((read) => !read.settled);
    if (open.length === 0) return;
    try {
      await this.#fetch(open);
    } catch (error) {
      // One compacted revision fails the whole Txn: it is split until the bad read is alone.
      if (open.length > 1 && !(error instanceof ServiceError) && !(error instanceof BadMessage)) {
        const half = Math.ceil(open.length / 2);
        await this.#answer(open.slice(0, half));
        return this.#answer(open.slice(half));
      }
      for (const read of open) read.refuse(this.#translate(error, read.key));
    }
  }

  async #fetch(reads: readonly PendingRead[]): Promise<void> {
    const places = new Map<string, number>();
    const ranges: PendingRead[] = [];
    let deadline = 0;
    const placeOf = reads.map((read) => {
      deadline = Math.max(deadline, read.deadline);
      const known = places.get(read.name);
      if (known !== undefined) return known;
      places.set(read.name, ranges.length);
      return ranges.push(read) - 1;
    });
    const start = this.clock.monotonic();
    const answer = await this.cluster.ask(TXN_PATH, encodeReads(ranges), deadline);
    this.metrics.batch.observe(0, ranges.length);
    this.metrics.duration.observe(0, this.clock.monotonic() - start);
    const { header, records } = decodeReads(answer, ranges.length);
    const position = this.history.position(header);
    reads.forEach((read, i) => read.settle({ current: records[placeOf[i]!] ?? null, position }));
  }

  #translate(error: unknown, key: string): Error {
    if (error instanceof ServiceError) return error;
    if (isOutsideHistory(error)) return new ServiceError('cursorGone', 'it was compacted');
    this.logger.error({ key, err: error }, 'etcd rejects a read');
    return new ServiceError('storageUnavailable');
  }
}
