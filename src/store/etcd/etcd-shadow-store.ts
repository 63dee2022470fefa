import { ServiceError } from '../../errors/service-error.js';
import type { Logger } from '../../telemetry/logger.js';
import { MARK, type Mark, type RequestTrace } from '../../telemetry/request-trace.js';
import { KnownShadow } from '../known-shadow.js';
import { updateBySubmit, type Operation } from '../operation.js';
import { sameHistory, type Position } from '../position.js';
import type { Transacted, Transaction } from '../transaction.js';
import type {
  Change,
  Fence,
  NamePage,
  Reading,
  RequestOptions,
  ShadowKey,
  ShadowRecord,
  ShadowStore,
  ThingPage,
} from '../shadow-store.js';
import type { EtcdRecord } from './codec.js';
import type { PastReads } from './read/past-reads.js';
import type { ReadBatcher, ReadResult } from './read/read-batcher.js';
import type { Lineage } from './lineage.js';
import { clusterPrefix, formatKey } from './keys.js';
import type { FencedBy, RawRecord } from './client/nested-txn.js';
import type { RecordCache } from './read/record-cache.js';
import type { ShadowLister } from './read/shadow-lister.js';
import { decodeStored } from './write/decode-stored.js';
import type { ShadowWriter } from './write/shadow-writer.js';
import type { Transactions } from './write/transactions.js';

export interface StoreParts {
  readonly reads: ReadBatcher;
  /** For readAsOf. */
  readonly past: PastReads;
  readonly writer: ShadowWriter;
  readonly transactions: Transactions;
  readonly cache: RecordCache;
  readonly lister: ShadowLister;
  /** Closes the parts and the connections that they share. */
  readonly close: () => void;
}

export interface StoreContext {
  /** Prefix of all keys; ends with a slash. */
  readonly prefix: string;
  readonly history: Lineage;
  readonly logger: Logger;
}

/** Shadows in etcd: linearizable, one key per shadow, every write guarded. */
export class EtcdShadowStore implements ShadowStore {
  constructor(
    private readonly parts: StoreParts,
    private readonly context: StoreContext,
  ) {}

  async get(key: ShadowKey, options: RequestOptions): Promise<ShadowRecord | null> {
    const etcdKey = this.#format(key);
    const { current, position } = await this.#get(etcdKey, options);
    return current && this.#present(key, etcdKey, current, position);
  }

  async read(key: ShadowKey, options: RequestOptions): Promise<Reading> {
    const etcdKey = this.#format(key);
    const { current, position } = await this.#get(etcdKey, options);
    return { record: current && this.#present(key, etcdKey, current, position), position };
  }

  async readAsOf(key: ShadowKey, revision: number, { deadline }: RequestOptions): Promise<Reading> {
    const result = await this.parts.past.get(this.#format(key), deadline, revision);
    return { record: this.#toRecord(key, result), position: { ...result.position, revision } };
  }

  update(key: ShadowKey, change: Change, options: RequestOptions): Promise<ShadowRecord> {
    return updateBySubmit(this, key, change, options);
  }

  submit(operation: Operation): void {
    const { fence } = operation;
    this.parts.writer.write(operation, this.#format(operation.key), fence && toFencedBy(this.context.prefix, fence));
  }

  transact(transaction: Transaction, options: RequestOptions): Promise<Transacted> {
    const { prefix } = this.context;
    const keys = {
      shadows: transaction.keys.map((key) => this.#format(key)),
      guarded: (transaction.guarded ?? []).map(({ key }) => `${clusterPrefix(prefix)}${key}`),
      fence: options.fence && toFencedBy(prefix, options.fence),
    };
    const { trace } = options;
    trace?.mark(MARK.writing);
    trace?.sent(keys.shadows.length);
    const written = this.parts.transactions.run(transaction, keys, options);
    return trace ? traced(trace, [MARK.writing, MARK.written], written) : written;
  }

  listNames(
    tenant: string,
    thing: string,
    limit: number,
    after: string | undefined,
    options: RequestOptions,
  ): Promise<NamePage> {
    return this.parts.lister.names(tenant, thing, limit, after, options);
  }

  listThings(tenant: string, limit: number, after: string | undefined, options: RequestOptions): Promise<ThingPage> {
    return this.parts.lister.things(tenant, limit, after, options);
  }

  async getBefore(key: ShadowKey, position: Position, { deadline }: RequestOptions): Promise<ShadowRecord | null> {
    const elsewhere = (): ServiceError => new ServiceError('cursorGone', 'it belongs to another history');
    if (position.epoch !== this.context.history.epoch) throw elsewhere();
    // Revision 0 would mean "now" to etcd; a store begins with revision 1, which is empty.
    if (position.revision <= 1) return null;
    const result = await this.parts.reads.get(this.#format(key), deadline, position.revision - 1);
    if (!sameHistory(result.position, position)) throw elsewhere();
    return this.#toRecord(key, result);
  }

  async close(): Promise<void> {
    this.parts.close();
  }

  #get(etcdKey: string, { deadline, trace }: RequestOptions): Promise<ReadResult> {
    const reading = this.parts.reads.get(etcdKey, deadline);
    return trace ? traced(trace, [MARK.reading, MARK.read], reading) : reading;
  }

  /** The record in a value that is the present one. */
  #present(key: ShadowKey, etcdKey: string, current: RawRecord, position: Position): ShadowRecord {
    const known = this.parts.cache.sameAs(etcdKey, current);
    const record = known ?? decodeStored(etcdKey, current.value, this.context.logger);
    if (!known) this.parts.cache.offer(etcdKey, record, current.revision);
    return toShadowRecord(key, record, current, position, position.revision);
  }

  #format(key: ShadowKey): string {
    if (!(key instanceof KnownShadow)) return formatKey(this.context.prefix, key);
    return (key.storedName ??= formatKey(this.context.prefix, key));
  }

  #toRecord(key: ShadowKey, { current, position }: ReadResult): ShadowRecord | null {
    if (!current) return null;
    const record = decodeStored(this.#format(key), current.value, this.context.logger);
    return toShadowRecord(key, record, current, position);
  }
}

/** Notes the beginning and the end of what has just begun. */
function traced<T>(trace: RequestTrace, [begin, end]: readonly [Mark, Mark], work: Promise<T>): Promise<T> {
  trace.mark(begin);
  return work.finally(() => trace.mark(end));
}

function toFencedBy(prefix: string, { claim, revision }: Fence): FencedBy {
  return { key: `${clusterPrefix(prefix)}${claim}`, revision };
}

function toShadowRecord(
  key: ShadowKey,
  { state, change, bytes }: EtcdRecord,
  { revision }: RawRecord,
  { cluster, epoch }: Position,
  readAt?: number,
): ShadowRecord {
  return { key, state, change, position: { cluster, epoch, revision }, bytes, readAt };
}
