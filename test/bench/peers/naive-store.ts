import { isTombstone } from '../../../src/document/shadow-document.js';
import { StoredDocument } from '../../../src/document/stored-document.js';
import { ServiceError } from '../../../src/errors/service-error.js';
import {
  decodeRecord,
  encodeRecord,
  withWrite,
  type EtcdRecord,
  type RecordParts,
} from '../../../src/store/etcd/codec.js';
import { EtcdClusterKeys } from '../../../src/store/etcd/etcd-cluster-keys.js';
import type { EtcdMembers } from '../../../src/store/etcd/client/members.js';
import { createEtcdStore, type EtcdStorageOptions } from '../../../src/store/etcd/open-etcd.js';
import { Lineage } from '../../../src/store/etcd/lineage.js';
import { formatKey } from '../../../src/store/etcd/keys.js';
import { toRawRecord } from '../../../src/store/etcd/client/nested-txn.js';
import { EtcdShadowFeed } from '../../../src/store/etcd/feed/etcd-shadow-feed.js';
import { WriteIds } from '../../../src/store/etcd/write/write-ids.js';
import { submitByUpdate, type Operation } from '../../../src/store/operation.js';
import type {
  Change,
  NamePage,
  Reading,
  RequestOptions,
  ShadowKey,
  ShadowRecord,
  ShadowStore,
  ThingPage,
} from '../../../src/store/shadow-store.js';
import type { Transacted, Transaction } from '../../../src/store/transaction.js';
import type { Position } from '../../../src/store/position.js';
import type { Storage } from '../../../src/store/storage.js';

/** A record that has not been encoded yet. */
type NewRecord = RecordParts;

/**
 * The same promises the plain way: each get is one range, each update one range and one guarded Txn, sent at once and by
 * itself; who loses reads again. No cache, no batches, no queue. The rest is Umbra's own.
 */
export class NaiveShadowStore implements ShadowStore {
  readonly #ids = new WriteIds();

  constructor(
    private readonly cluster: EtcdMembers,
    private readonly history: Lineage,
    private readonly prefix: string,
    private readonly rest: ShadowStore,
  ) {}

  async get(key: ShadowKey, { deadline }: RequestOptions): Promise<ShadowRecord | null> {
    const { record, position } = await this.#read(formatKey(this.prefix, key), deadline);
    return record && { key, state: record.state, change: record.change, position };
  }

  async update(key: ShadowKey, change: Change, { deadline }: RequestOptions): Promise<ShadowRecord> {
    const etcdKey = formatKey(this.prefix, key);
    for (;;) {
      const { record, position } = await this.#read(etcdKey, deadline);
      const { state: changed, change: made } = change(record?.state ?? null);
      // With the text of each section, which the record and the messages share.
      const state = isTombstone(changed) ? changed : StoredDocument.of(changed);
      const writes = withWrite(this.#ids.next(), record?.writes ?? '');
      const guard = record ? position.revision : 0;
      const won = await this.#put(etcdKey, guard, { state, change: made, writes }, deadline);
      if (won) return { key, state, change: made, position: won };
    }
  }

  submit(operation: Operation): void {
    submitByUpdate(this, operation);
  }

  read(key: ShadowKey, options: RequestOptions): Promise<Reading> {
    return this.rest.read(key, options);
  }

  transact(transaction: Transaction, options: RequestOptions): Promise<Transacted> {
    return this.rest.transact(transaction, options);
  }

  readAsOf(key: ShadowKey, revision: number, options: RequestOptions): Promise<Reading> {
    return this.rest.readAsOf(key, revision, options);
  }

  listNames(
    tenant: string,
    thing: string,
    limit: number,
    after: string | undefined,
    options: RequestOptions,
  ): Promise<NamePage> {
    return this.rest.listNames(tenant, thing, limit, after, options);
  }

  listThings(tenant: string, limit: number, after: string | undefined, options: RequestOptions): Promise<ThingPage> {
    return this.rest.listThings(tenant, limit, after, options);
  }

  getBefore(key: ShadowKey, position: Position, options: RequestOptions): Promise<ShadowRecord | null> {
    return this.rest.getBefore(key, position, options);
  }

  close(): Promise<void> {
    return this.rest.close();
  }

  async #read(key: string, deadline: number): Promise<{ record: EtcdRecord | null; position: Position }> {
    const request = { key: Buffer.from(key) };
    const { header, kvs } = await this.cluster.read((client, call) => client.kv.range(request, call), deadline);
    const raw = toRawRecord(kvs[0]);
    const position = this.history.position(header);
    if (!raw) return { record: null, position };
    return { record: decodeRecord(raw.value), position: { ...position, revision: raw.revision } };
  }

  /** Where it was committed, or null when another writer was faster. An answer that is lost is an unknown outcome. */
  async #put(name: string, guard: number, record: NewRecord, deadline: number): Promise<Position | null> {
    const key = Buffer.from(name);
    const request = {
      compare: [{ result: 'Equal' as const, target: 'Mod' as const, key, mod_revision: String(guard) }],
      success: [{ request_put: { key, value: encodeRecord(record) } }],
    };
    const left = deadline - performance.now();
    if (left <= 0) throw new ServiceError('storageUnavailable');
    try {
      const { succeeded, header } = await this.cluster.call(
        this.cluster.current(),
        (client, call) => client.kv.txn(request, call),
        left,
      );
      return succeeded ? this.history.position(header) : null;
    } catch (error) {
      throw new ServiceError('outcomeUnknown', String(error));
    }
  }
}

export function openNaiveStorage({ config, logger, clock }: EtcdStorageOptions): Storage {
  const history = new Lineage();
  const { store: rest, cluster } = createEtcdStore({ config, history, logger, clock });
  const connect = (host: string) => cluster.connect(host);
  const openChannel = (host: string) => cluster.openChannel(host);
  return {
    store: new NaiveShadowStore(cluster, history, config.etcd.prefix, rest),
    feed: new EtcdShadowFeed({ config: config.etcd, connect, openChannel, calls: cluster, history, logger }),
    clusterKeys: new EtcdClusterKeys({ cluster, prefix: config.etcd.prefix, clock, logger }),
    health: () => ({ ok: true, reason: 'not asked' }),
    close: () => rest.close(),
  };
}
