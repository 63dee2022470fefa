import type { IKeyValue } from 'etcd3';
import type { Logger } from '../../../telemetry/logger.js';
import { reasonOf } from '../../../telemetry/reason.js';
import type { Position } from '../../position.js';
import { isThingName } from '../../../document/shadow-name.js';
import { parseRecordKey } from '../../presence-record.js';
import { PresenceUpdate } from '../../presence-update.js';
import type { FeedBatch, FeedRecord, Unpacker } from '../../shadow-feed.js';
import type { ShadowRecord } from '../../shadow-store.js';
import { decodeRecord, isCurrentFormat, type EtcdRecord } from '../codec.js';
import { isInBucket, parseKey, presencePrefix, shadowsPrefix, splitKey } from '../keys.js';
import { KeyBytes } from './key-bytes.js';
import { StoredRecord, type RecordSource } from './stored-record.js';
import type { WatchEvent } from './watch-event.js';
import { decodeWatchResponse } from './watch-response.js';

/** Foreign keys that the log names, once each; more would not help an operator. */
const MAX_NAMED = 1_000;

const NO_KEY = 'not the key of a shadow';

/** What holds a value; it is cut out of the bytes around it only for whoever asks. */
export interface Stored {
  readonly value: Buffer;
}

/** What the node knows of the values below the shadow prefix that the feed sees. Most are of keys it has nothing to do with. */
export interface KnownValues {
  /** False: it knows nothing of any key of this hash (name-hash.ts). No errors. */
  mayKnow(hash: number): boolean;
  /**
   * Called with a value, and the position that stored it. Returns its record if this node knows it, and may settle an
   * own write that etcd has not answered yet. It does not look at the value of a key that it does not know. No errors.
   */
  take(key: string, stored: Stored, at: Position): EtcdRecord | undefined;
}

const NOTHING_KNOWN: KnownValues = { mayKnow: () => false, take: () => undefined };

/** Turns the values below the shadow prefix into records. Other programs can write there too; that never stops a feed. */
export class RecordDecoder implements Unpacker {
  readonly #named = new Set<string>();
  /** The key that feeds write to see their own progress. */
  readonly marker: string;
  readonly #keyBytes: KeyBytes;
  readonly #presencePrefix: string;
  readonly #shadowsPrefix: string;
  readonly #source: RecordSource = {
    key: ({ name }) => splitKey(this.prefix, name),
    content: (event, key) => {
      try {
        if (!isInBucket(this.prefix, event.name, key)) throw new Error(NO_KEY);
        return decodeRecord(event.value);
      } catch (error) {
        this.#report(event.name, event.revision, error);
        return null;
      }
    },
  };

  constructor(
    private readonly prefix: string,
    private readonly logger: Logger,
    private readonly known: KnownValues = NOTHING_KNOWN,
  ) {
    this.marker = `${shadowsPrefix(prefix)}marker`;
    this.#presencePrefix = presencePrefix(prefix);
    this.#shadowsPrefix = shadowsPrefix(prefix);
    this.#keyBytes = new KeyBytes(this.#shadowsPrefix);
  }

  /** Whether a key lies where shadows do. No errors. */
  isBesideShadows(key: string): boolean {
    return key.startsWith(this.#shadowsPrefix);
  }

  /**
   * The record of a put, parsed only if its first bytes do not tell that it is one; null, with a line in the log, for a
   * value that is not a record. It never throws.
   * @param position of the put
   */
  decode(event: WatchEvent, position: Position): FeedRecord | null {
    return this.#decode(event, position, this.known);
  }

  /** @param bytes a watch response with the puts of a revision whose records have been made before */
  unpack(bytes: Buffer, position: Position): FeedBatch {
    const records: FeedRecord[] = [];
    for (const event of decodeWatchResponse(bytes).events) {
      // What the node knew of it then may be gone.
      const record = this.#decode(event, position, NOTHING_KNOWN);
      if (record) records.push(record);
    }
    return { position, records };
  }

  #decode(event: WatchEvent, position: Position, values: KnownValues): FeedRecord | null {
    const key = this.#keyBytes;
    if (!key.read(event.bytes, event.keyStart, event.keyEnd)) {
      const { name } = event;
      const presence = this.decodePresence(name, () => event.value, position);
      if (presence || name === this.marker || !this.isBesideShadows(name)) return presence;
      this.#report(name, event.revision, new Error(NO_KEY));
      return null;
    }
    const { thingHash } = key;
    const known = values.mayKnow(key.hash) ? values.take(event.name, event, position) : undefined;
    if (known) return new StoredRecord(position, thingHash, event, this.#source, known);
    const record = new StoredRecord(position, thingHash, event, this.#source);
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
      const { state, change, bytes } = this.known.take(name, kv, position) ?? decodeRecord(kv.value);
      return { key, state, change, position, bytes };
    } catch (error) {
      this.#report(name, revision, error);
      return null;
    }
  }

  /**
   * The record of presence under a key; null for any other key, and for that of a client whose identifier is not the name
   * of a thing. No errors.
   */
  decodePresence(key: string, value: () => Buffer, position: Position): PresenceUpdate | null {
    const prefix = this.#presencePrefix;
    const client = key.startsWith(prefix) ? parseRecordKey(key.slice(prefix.length)) : null;
    if (client === null || !isThingName(client.clientId)) return null;
    return new PresenceUpdate(client.tenant, client.clientId, position, value());
  }

  #report(key: string, revision: number, error: unknown): void {
    if (this.#named.size >= MAX_NAMED || this.#named.has(key)) return;
    this.#named.add(key);
    this.logger.warn({ key, revision, reason: reasonOf(error) }, 'skipped a value in etcd that is not a shadow record');
  }
}
