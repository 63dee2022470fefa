import { isTombstone } from '../../../document/shadow-document.js';
import type { Logger } from '../../../telemetry/logger.js';
import type { Position } from '../../position.js';
import { FeedGap } from '../../shadow-feed.js';
import type { Changed, ShadowRecord } from '../../shadow-store.js';
import { isCompacted, isFuture } from '../client/etcd-error.js';
import type { RecordDecoder } from './record-decoder.js';
import { CALL_MS, type EtcdCalls } from './restore-detector.js';
import type { RawRevision } from './revision-assembler.js';

/** Keys that are read at once. */
const MAX_KEYS = 50;
/** Keys that one revision may delete: more than a lease of tombstones holds, and few enough to be kept in memory. */
const MAX_DELETES = 5_000;

/** Finds a removal of this node by the key and the revision of the removed record. */
export type FindRemoval = (key: string, revision: number) => Changed | undefined;

/** Principal of a removal that another node made. */
const ANOTHER_NODE = 'unknown';

/**
 * Distinguishes the two kinds of DELETE events. Mostly the lease of a tombstone ran out, and the put of the tombstone
 * was the deletion. But on a full etcd a live record is removed without a tombstone: then the event is the deletion.
 */
export class DeletedRecords {
  constructor(
    private readonly calls: EtcdCalls,
    private readonly decoder: RecordDecoder,
    private readonly logger: Logger,
    private readonly removed: FindRemoval = () => undefined,
  ) {}

  /**
   * The deletions among `revisions`, by revision. A revision that deletes more than 5,000 keys is the work of an
   * operator (`etcdctl del --prefix`): it is left out, since its records could fill the memory of every node at once.
   * @throws FeedGap when the revision before is compacted; the errors of the calls
   */
  async of(revisions: readonly RawRevision[], start: Position): Promise<Map<number, ShadowRecord[]>> {
    const found = new Map<number, ShadowRecord[]>();
    for (const { revision, deletes: all } of revisions) {
      // A record of presence that is gone is forgotten: its client has left long before.
      const deletes = all.filter((key) => this.decoder.isBesideShadows(key.toString()));
      if (deletes.length > MAX_DELETES) {
        this.logger.warn({ revision, keys: deletes.length }, 'a mass deletion in etcd is not reported to readers');
        continue;
      }
      const records: ShadowRecord[] = [];
      for (let from = 0; from < deletes.length; from += MAX_KEYS) {
        records.push(...(await this.#before(deletes.slice(from, from + MAX_KEYS), revision, start)));
      }
      if (records.length > 0) found.set(revision, records);
    }
    return found;
  }

  async #before(keys: readonly Buffer[], revision: number, start: Position): Promise<ShadowRecord[]> {
    const success = keys.map((key) => ({ request_range: { key, revision: String(revision - 1) } }));
    try {
      const { responses } = await this.calls.read((client) => client.kv.txn({ success }), performance.now() + CALL_MS);
      return responses.flatMap(({ response_range: { kvs } }): ShadowRecord[] => {
        const record = kvs[0] ? this.decoder.decodeRead(kvs[0], start) : null;
        return record && !isTombstone(record.state) ? [this.#deletion(kvs[0]!.key, record, revision)] : [];
      });
    } catch (error) {
      if (isCompacted(error)) throw new FeedGap('compacted');
      // The watch has just delivered the revision after it: a backup was restored.
      if (isFuture(error)) throw new FeedGap('epoch-changed');
      throw error;
    }
  }

  #deletion(name: Buffer, { key, state, position }: ShadowRecord, revision: number): ShadowRecord {
    const own = this.removed(name.toString(), position.revision);
    const at = Date.now();
    const { version } = state;
    const changed = own ?? {
      state: { deleted: true, version, deletedAt: Math.floor(at / 1000) },
      change: { kind: 'delete', principal: ANOTHER_NODE, at },
    };
    return { key, state: changed.state, change: changed.change, position: { ...position, revision } };
  }
}
