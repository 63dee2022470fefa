import type { Clock } from '../../../resilience/clock.js';
import { ServiceError } from '../../../errors/service-error.js';
import type { Logger } from '../../../telemetry/logger.js';
import { MARK } from '../../../telemetry/request-trace.js';
import { CommitMetrics } from '../../../telemetry/storage-metrics.js';
import { DeadlineSweep } from '../../../resilience/deadline-sweep.js';
import type { EtcdMembers } from '../client/members.js';
import type { FencedBy, RawRecord } from '../client/nested-txn.js';
import { classify } from '../client/etcd-error.js';
import { FairQueue, type Answer } from './fair-queue.js';
import type { Lineage } from '../lineage.js';
import { BadMessage } from '../client/protobuf/proto-reader.js';
import { encodeNestedTxn, TXN_PATH } from '../client/protobuf/txn-request.js';
import { decodeNestedTxn } from '../client/protobuf/txn-response.js';
import { PendingWrite, type CasOutcome, type CasWrite, type WriteOwner } from './pending-write.js';
import type { Position } from '../../position.js';
import { SendSlots } from '../client/send-slots.js';

/** A batch gains little beyond 64 writes; etcd takes at most 126 (ETCD 1). */
const MAX_WRITES = 100;
/** Bytes of the writes of one request; etcd rejects requests above 1.5 MiB. */
const MAX_BYTES = 1024 * 1024;
/** Milliseconds between the end of a call and the last deadline of its batch: the error of the call must come first. */
const MARGIN_MS = 30;

/** The lease of this write does not exist; nothing was written. */
export class LeaseGone extends Error {
  override readonly name = 'LeaseGone';
}

export interface GroupCommitOptions {
  /** Batches under way at once; 2 to 4. */
  readonly inFlight?: number;
  /** Writes that may wait, of all tenants together. */
  readonly maxQueued?: number;
  /** Bytes of all writes that are not settled. */
  readonly maxQueuedBytes?: number;
  readonly metrics?: CommitMetrics;
  /** Is called with each revision that writes were committed in. It must not wait. */
  readonly onCommitted?: (revision: number) => void;
}

/** Joins the CAS writes of many callers into one Txn (ADR 0007). */
export class GroupCommit {
  readonly #queue = new FairQueue<PendingWrite>();
  /** Writes of the batches under way by key: a key is in one batch at a time. */
  readonly #underWay = new Map<string, PendingWrite>();
  readonly #slots: SendSlots<PendingWrite>;
  readonly #sweep: DeadlineSweep<PendingWrite>;
  readonly #maxQueued: number;
  readonly #maxQueuedBytes: number;
  /** Bytes of all writes that are not settled. */
  #bytes = 0;
  readonly #onSettled = (settled: PendingWrite, result: CasOutcome['kind'] | 'refused'): void => {
    this.#bytes -= settled.bytes;
    this.#metrics.writes.add(this.#metrics.results[result]);
  };
  readonly #metrics: CommitMetrics;
  #closed = false;

  constructor(
    private readonly cluster: EtcdMembers,
    private readonly history: Lineage,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly options: GroupCommitOptions = {},
  ) {
    this.#metrics = options.metrics ?? new CommitMetrics();
    this.#metrics.queuedWrites.read = () => this.#queue.size;
    this.#metrics.queuedBytes.read = () => this.#bytes;
    this.#maxQueued = options.maxQueued ?? 20_000;
    this.#maxQueuedBytes = options.maxQueuedBytes ?? 256 * 1024 * 1024;
    this.#sweep = new DeadlineSweep(clock);
    this.#slots = new SendSlots(
      options.inFlight ?? 2,
      () => this.#gather(),
      (batch) => this.#commit(batch),
    );
  }

  /** Writes that wait for a slot. */
  get queued(): number {
    return this.#queue.size;
  }

  /**
   * Sends the write with the next batch.
   * @throws ServiceError storageUnavailable, tooLarge, tooManyRequests, fenced, draining; LeaseGone. After each of them
   * the write was not applied and never will be. storageFull: it will not be applied, but it may have been
   * (etcd-error.ts)
   */
  submit(write: CasWrite): Promise<CasOutcome> {
    return new Promise((settled, refused) => this.add(write, { settled, refused }));
  }

  /** As `submit`; the owner is called, perhaps before this returns. No errors. */
  add(write: CasWrite, owner: WriteOwner): void {
    const reason = this.#rejection();
    if (reason !== null) return owner.refused(reason);
    const pending = new PendingWrite(write, owner, this.#onSettled, this.clock.monotonic());
    write.trace?.mark(MARK.writing);
    this.#bytes += pending.bytes;
    this.#sweep.add(pending);
    this.#queue.push(write.tenant, pending);
    this.#slots.kick();
  }

  /** Why no write is taken now; null: one is. */
  #rejection(): ServiceError | null {
    if (this.#closed) return new ServiceError('draining');
    if (this.#queue.size >= this.#maxQueued)
      return new ServiceError('tooManyRequests', `${this.#maxQueued} writes wait on this node already`);
    if (this.#bytes < this.#maxQueuedBytes) return null;
    return new ServiceError('tooManyRequests', `${this.#maxQueuedBytes} bytes of writes wait on this node already`);
  }

  /** Whether an own write of the key is under way: then its value is worth a look. No errors. */
  awaits(key: string): boolean {
    return this.#underWay.has(key);
  }

  /**
   * Settles an own write that the watch has delivered: it is committed, even if the answer to its Txn is lost (ADR
   * 0013). The value identifies the write: it carries an id that is unique to each attempt to change the shadow. No
   * errors.
   * @param at position that stored the value
   */
  confirm(key: string, value: Buffer, at: Position): void {
    const pending = this.#underWay.get(key);
    if (!pending || pending.settled || !pending.hasMade(value)) return;
    // The next write of this shadow need not wait for the answer either.
    this.#underWay.delete(key);
    if (pending.doubted) this.#metrics.doubts.add(this.#metrics.wonByWatch);
    pending.settle({ kind: 'won', position: at });
  }

  /** Ends all writes: unsent ones with `draining`, sent ones with `unknown`. */
  close(): void {
    this.#closed = true;
    this.#queue.drain();
    for (const pending of this.#sweep.items) pending.refuse(new ServiceError('draining'));
  }

  #gather(): PendingWrite[] {
    let count = 0;
    let bytes = 0;
    return this.#queue.take((pending): Answer => {
      if (pending.settled) return 'drop';
      if (this.#underWay.has(pending.write.key)) return 'skip';
      if (count >= MAX_WRITES || (count > 0 && bytes + pending.bytes > MAX_BYTES)) return 'stop';
      count++;
      bytes += pending.bytes;
      this.#underWay.set(pending.write.key, pending);
      return 'take';
    });
  }

  async #commit(batch: PendingWrite[]): Promise<void> {
    try {
      await this.#deliver(batch);
    } catch (error) {
      // Every write must end, even after a defect in this code.
      this.logger.error({ err: error }, 'group commit failed');
      for (const pending of batch) pending.refuse(new ServiceError('storageUnavailable'));
    } finally {
      for (const pending of batch) {
        const { key } = pending.write;
        if (this.#underWay.get(key) === pending) this.#underWay.delete(key);
      }
    }
  }

  /** Sends the same guarded writes until each one is settled: the guards make an attempt that arrives late harmless. */
  async #deliver(batch: readonly PendingWrite[]): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const now = this.clock.monotonic();
      const { open, writes, last, bytes } = stillOpen(batch, now);
      if (open.length === 0) return;
      const turns = turnsOf(writes);
      const member = this.cluster.current();
      const timeoutMs = Math.max(1, Math.min(this.cluster.callTimeoutMs, last - now - MARGIN_MS));
      try {
        const request = encodeNestedTxn(writes, bytes, turns);
        for (const pending of open) this.#sent(pending, now, open.length);
        const answer = await this.cluster.send(member, TXN_PATH, request, timeoutMs);
        this.#metrics.batch.observe(0, open.length);
        this.#took(open, this.clock.monotonic() - now);
        if (this.#settle(open, writes, turns, answer)) return;
      } catch (error) {
        const fault = classify(error);
        for (const pending of open) {
          pending.sent = false;
          if (fault === 'in-doubt') pending.doubted = true;
        }
        if (fault === 'in-doubt' || fault === 'not-applied') {
          this.#metrics.retries.add(this.#metrics.retried[fault]);
          this.cluster.rotate(member, error);
          await this.cluster.pause(attempt, last);
        } else if (fault === 'storage-full') {
          this.#refusePuts(open);
        } else if (fault === 'lease-gone' && open.some(({ write }) => write.lease !== undefined)) {
          for (const pending of open) if (pending.write.lease !== undefined) pending.refuse(new LeaseGone());
        } else {
          return this.#split(open, error);
        }
      }
    }
  }

  /** @param ms that etcd took for a batch */
  #took(batch: readonly PendingWrite[], ms: number): void {
    const { duration } = this.#metrics;
    duration.observe(0, ms);
    for (const { write } of batch)
      if (write.trace?.sampled) return duration.remember(0, ms, write.trace.traceId, this.clock.now());
  }

  /** @param now milliseconds of the monotonic clock @param batch writes that are sent together */
  #sent(pending: PendingWrite, now: number, batch: number): void {
    pending.sent = true;
    pending.write.trace?.sent(batch);
    if (pending.wasSent) return;
    pending.wasSent = true;
    this.#metrics.wait.observe(0, now - pending.since);
  }

  /**
   * A full etcd rejects a Txn for its puts alone, so removals are sent again without them. They are in doubt: etcd may have
   * applied what it rejects for lack of space.
   */
  #refusePuts(open: readonly PendingWrite[]): void {
    const hasPuts = open.some(({ write }) => write.value !== null);
    for (const pending of open) {
      if (hasPuts && pending.write.value === null) pending.doubted = true;
      else pending.refuse(new ServiceError('storageFull'));
    }
  }

  /** One bad write must not fail the others: the batch is split until the bad write is alone. */
  async #split(open: readonly PendingWrite[], error: unknown): Promise<void> {
    const [only] = open;
    if (open.length === 1 && only) {
      this.logger.error({ key: only.write.key, err: error }, 'etcd rejects a write');
      return only.refuse(new ServiceError(classify(error) === 'too-large' ? 'tooLarge' : 'storageUnavailable'));
    }
    this.#metrics.splits.add(0);
    const half = Math.ceil(open.length / 2);
    await this.#deliver(open.slice(0, half));
    await this.#deliver(open.slice(half));
  }

  /** @returns false: a turn has moved, and with it the writes that rely on it; the others are to be sent again */
  #settle(
    open: readonly PendingWrite[],
    writes: readonly CasWrite[],
    turns: readonly FencedBy[],
    answer: Buffer,
  ): boolean {
    const { header, results, moved } = decodeNestedTxn(answer, writes, turns.length);
    if (moved !== null) {
      settleMoved(open, turns, moved);
      return false;
    }
    const position = this.history.position(header);
    const won = { kind: 'won', position } as const;
    if (results.some((result) => result.won)) this.options.onCommitted?.(position.revision);
    open.forEach((pending, i) => {
      const result = results[i]!;
      if (result.won) pending.settle(won);
      else pending.settle({ ...result, kind: 'lost', position, doubted: pending.doubted });
    });
    return true;
  }
}

const NO_TURNS: readonly FencedBy[] = [];
/** What the batch compares; most have one tenant with writes that need it, or none. */
function turnsOf(writes: readonly CasWrite[]): readonly FencedBy[] {
  let last: FencedBy | undefined;
  let turns: Set<FencedBy> | null = null;
  for (const { turn } of writes) {
    if (turn === undefined || turn === last) continue;
    last = turn;
    (turns ??= new Set()).add(turn);
  }
  return turns === null ? NO_TURNS : [...turns];
}

function settleMoved(
  open: readonly PendingWrite[],
  turns: readonly FencedBy[],
  found: readonly (RawRecord | null)[],
): void {
  const moved = new Set(turns.filter(({ revision }, i) => (found[i]?.revision ?? 0) !== revision));
  if (moved.size === 0) throw new BadMessage('etcd made no write, although every compared key is as it was');
  for (const pending of open) {
    const { turn } = pending.write;
    pending.sent = false;
    if (turn !== undefined && moved.has(turn)) pending.settle({ kind: 'moved', doubted: pending.doubted });
  }
}

/** The writes that an attempt at `now` may hold; the others are ended. */
function stillOpen(batch: readonly PendingWrite[], now: number) {
  const open: PendingWrite[] = [];
  const writes: CasWrite[] = [];
  let last = 0;
  let bytes = 0;
  for (const pending of batch) {
    // An attempt that cannot be answered in time would only turn "not written" into "unknown".
    if (pending.deadline - now <= MARGIN_MS) pending.expire();
    pending.checkSignal();
    if (pending.settled) continue;
    open.push(pending);
    writes.push(pending.write);
    last = Math.max(last, pending.deadline);
    bytes += pending.bytes;
  }
  return { open, writes, last, bytes };
}
