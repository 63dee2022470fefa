import type { IKeyValue } from 'etcd3';
import type { Logger } from '../../../telemetry/logger.js';
import { reasonOf } from '../../../telemetry/reason.js';
import type { Position } from '../../position.js';
import type { FeedRecord } from '../../shadow-feed.js';
import type { ShadowRecord } from '../../shadow-store.js';
import { decodeRecord, isCurrentFormat, type EtcdRecord } from '../codec.js';
import { isInBucket, isShadowKey, parseKey, shadowsPrefix, splitKey } from '../keys.js';
import { StoredRecord, type ParseContent } from './stored-record.js';
import type { WatchEvent } from './watch-event.js';

/** Foreign keys that the log names, once each; more would not help an operator. */
const MAX_NAMED = 1_000;

const NO_KEY = 'not the key of a shadow';

/** What holds a value; it is cut out of the bytes around it only for whoever asks. */
export interface Stored {
  readonly value: Buffer;
}

/**
 * Called with each value below the shadow prefix that the feed sees, and the position that stored it. Returns its
 * record if this node knows it, and may settle an own write that etcd has not answered yet. It must not look at the
 * value of a key that this node has nothing to do with: most events are of such keys. No errors.
 */
export type OnStored = (key: string, stored: Stored, at: Position) => EtcdRecord | undefined;

/** Turns the values below the shadow prefix into records. Other programs can write there too; that never stops a feed. */
export class RecordDecoder {
  readonly #named = new Set<string>();
  /** The key that feeds write to see their own progress. */
  readonly marker: string;
  readonly #parse: ParseContent = (event, key) => {
    try {
      if (!isInBucket(this.prefix, event.name, key)) throw new Error(NO_KEY);
      return decodeRecord(event.value);
    } catch (error) {
      this.#report(event.name, event.revision, error);
      return null;
    }
  };

  constructor(
    private readonly prefix: string,
    private readonly logger: Logger,
    private readonly onStored: OnStored = () => undefined,
  ) {
    this.marker = `${shadowsPrefix(prefix)}marker`;
  }

  /**
   * The record of a put, parsed only if its first bytes do not tell that it is one; null, with a line in the log, for a
   * value that is not a record. It never throws.
   * @param position of the put
   */
  decode(event: WatchEvent, position: Position): FeedRecord | null {
    const { name } = event;
    if (!isShadowKey(this.prefix, name)) {
      if (name !== this.marker) this.#report(name, event.revision, new Error(NO_KEY));
      return null;
    }
    const known = this.onStored(name, event, position);
    const key = known?.key ?? splitKey(this.prefix, name);
    if (known) return new StoredRecord(position, key, event, this.#parse, known);
    const record = new StoredRecord(position, key, event, this.#parse);
    const isCertain = isCurrentFormat(event.bytes, event.valueStart, event.valueEnd);
    return isCertain || record.isReadable ? record : null;
  }

  /** The record of a value that was read; null, with a line in the log, for one that is not a record. It never throws. */
  decodeRead(kv: IKeyValue, { cluster, epoch }: Omit<Position, 'revision'>): ShadowRecord | null {
    const name = kv.key.toString();
    const revision = Number(kv.mod_revision);
    if (name === this.marker) return null;
    const key = parseKey(this.prefix, name);
    if (!key) {
      this.#report(name, revision, new Error(NO_KEY));
      return null;
    }
    const position = { cluster, epoch, revision };
    try {
      const { state, change, bytes } = this.onStored(name, kv, position) ?? decodeRecord(kv.value);
      return { key, state, change, position, bytes };
    } catch (error) {
      this.#report(name, revision, error);
      return null;
    }
  }

  #report(key: string, revision: number, error: unknown): void {
    if (this.#named.size >= MAX_NAMED || this.#named.has(key)) return;
    this.#named.add(key);
    this.logger.warn({ key, revision, reason: reasonOf(error) }, 'skipped a value in etcd that is not a shadow record');
  }
}
