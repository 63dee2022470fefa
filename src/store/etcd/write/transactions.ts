import { ServiceError } from '../../../errors/service-error.js';
import type { Position } from '../../position.js';
import type { RequestOptions } from '../../shadow-store.js';
import type { ShadowQueue } from '../../shadow-queue.js';
import { checkTransaction, type Transacted, type Transaction } from '../../transaction.js';
import { isValueOf, type RecordFormat } from '../codec.js';
import type { ReadBatcher } from '../read/read-batcher.js';
import type { RecordCache } from '../read/record-cache.js';
import type { FlatCommitParts } from './flat-commit.js';
import type { KnownClaims } from './known-claims.js';
import { MultiShadowTxn, type TxnKeys } from './multi-shadow-txn.js';
import type { QuotaGuard } from './quota-guard.js';
import type { TombstoneLeases } from './tombstone-leases.js';
import { WriteIds } from './write-ids.js';

/** Transactions at once on this node: each holds up to 1 MiB. */
const MAX_UNDER_WAY = 256;
/** Of them, those of one tenant. */
const MAX_OF_TENANT = 64;

/** A shadow that a transaction under way writes. */
export interface Watched {
  /** Value that it stores. */
  readonly text: string;
  /** Is called when the watch has delivered it. */
  readonly told: (at: Position) => void;
}

export interface TransactionParts extends FlatCommitParts {
  readonly reads: ReadBatcher;
  readonly cache: RecordCache;
  readonly leases: TombstoneLeases;
  readonly claims: KnownClaims;
  readonly guard: QuotaGuard;
  readonly ids: WriteIds;
  readonly format: RecordFormat;
  /** One shadow of each transaction that is under way, by its key in etcd. */
  readonly watched: Map<string, Watched>;
  /** Whether the store has been closed. No errors. */
  isClosed(): boolean;
}

/**
 * Carries out transactions beside the group commit. They take a turn in the line of every shadow that they name, so that
 * no other write of this node is under way there: a check takes one too, since a shadow that others write all the time
 * would beat it in every attempt.
 */
export class Transactions {
  readonly #parts: TransactionParts;
  readonly #underWay = new Map<string, number>();
  #count = 0;
  #closed = false;

  constructor(
    private readonly queue: ShadowQueue,
    parts: Omit<TransactionParts, 'ids' | 'watched' | 'isClosed'>,
  ) {
    this.#parts = { ...parts, ids: new WriteIds(), watched: new Map(), isClosed: () => this.#closed };
  }

  /** Whether a transaction waits for what the watch delivers. */
  get areWatched(): boolean {
    return this.#parts.watched.size > 0;
  }

  /**
   * As ShadowStore.transact.
   * @throws as it
   */
  async run(transaction: Transaction, keys: TxnKeys, options: RequestOptions): Promise<Transacted> {
    checkTransaction(transaction);
    const { tenant } = transaction.keys[0]!;
    this.#enter(tenant);
    // In one order for all transactions: two of them cannot wait for each other.
    const order = [...keys.shadows].sort();
    let held = 0;
    try {
      for (const key of order) {
        await this.#turn(key, options.deadline);
        held++;
      }
      if (this.#closed) throw new ServiceError('draining');
      if (options.deadline <= this.#parts.clock.monotonic()) throw new ServiceError('storageUnavailable');
      return await new MultiShadowTxn(this.#parts, transaction, keys, options).run();
    } finally {
      for (const key of order.slice(0, held)) this.queue.leave(key);
      this.#leave(tenant);
    }
  }

  /** Settles the transaction that has written a value which the watch has delivered (ADR 0013). No errors. */
  confirm(key: string, value: Buffer, at: Position): void {
    const watched = this.#parts.watched.get(key);
    if (watched && isValueOf(watched.text, value)) watched.told(at);
  }

  /** Ends all transactions: those that nothing was sent of with `draining`, the others with `outcomeUnknown`. */
  close(): void {
    this.#closed = true;
  }

  #turn(key: string, deadline: number): Promise<void> {
    return new Promise((begin, failed) => this.queue.enter(key, { deadline, begin, failed }));
  }

  #enter(tenant: string): void {
    const own = this.#underWay.get(tenant) ?? 0;
    if (this.#closed) throw new ServiceError('draining');
    if (this.#count >= MAX_UNDER_WAY || own >= MAX_OF_TENANT) {
      const limit =
        own >= MAX_OF_TENANT ? `${MAX_OF_TENANT} transactions of this tenant` : `${MAX_UNDER_WAY} transactions`;
      throw new ServiceError('tooManyRequests', `${limit} are under way on this node already`);
    }
    this.#count++;
    this.#underWay.set(tenant, own + 1);
  }

  #leave(tenant: string): void {
    this.#count--;
    const own = this.#underWay.get(tenant)! - 1;
    if (own > 0) this.#underWay.set(tenant, own);
    else this.#underWay.delete(tenant);
  }
}
