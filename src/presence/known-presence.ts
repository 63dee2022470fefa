import type { KeyListener, KeyUpdate, KeyWatch, StoredKey } from '../store/cluster-keys.js';
import { changeBetween, type PresenceChange } from './next-record.js';
import {
  parseRecordKey,
  readRecord,
  type ClientName,
  type PresenceRecord,
  type Stored,
} from '../store/presence-record.js';
import { PresenceRecords } from './presence-records.js';
import type { PresenceWalk } from './presence-walk.js';

/** Records of a snapshot that are read in one turn of the loop: 200,000 at once would take the better part of a second. */
const AT_ONCE = 1_000;

/** A client has come or gone. */
export interface PresenceEvent extends ClientName {
  readonly change: PresenceChange;
  readonly record: PresenceRecord;
  readonly revision: number;
}

/** Is told what is stored, one call after the other; it must not wait. */
export interface RecordFollower {
  /** Everything was read anew; what was told before may be of another history. */
  recordsReplaced(): void;
  /** @param stored null: the record is gone */
  recordChanged(key: string, stored: Stored | null, revision: number): void;
}

/** A snapshot that is being read. */
interface Reading {
  readonly left: Iterator<[string, StoredKey]>;
  readonly records: PresenceRecords;
  readonly revision: number;
  /** Keys of clients that have come or gone in the gap before it: of several changes of a client the last one is told. */
  readonly swallowed: string[];
  /** What has come after it, of each key the last. */
  readonly changes: Map<string, KeyUpdate>;
}

/** The records of all clients in the memory of this node, as a watch tells them, and the events that follow from them. */
export class KnownPresence implements KeyListener {
  #records = new PresenceRecords();
  #wasRead = false;
  #reading: Reading | null = null;
  #revision = 0;
  readonly #followers: RecordFollower[] = [];
  readonly #listeners = new Set<(event: PresenceEvent) => void>();
  /** Set when the watch is opened. */
  watch: Pick<KeyWatch, 'staleMs' | 'reason'> | null = null;

  /** @param prefix of the records among the watched keys */
  constructor(private readonly prefix: string) {}

  /** Whether all records were read, and no newer snapshot of them is being read. */
  get isReady(): boolean {
    return this.#wasRead && this.#reading === null;
  }

  /** The revision up to which the records are known. */
  get revision(): number {
    return this.#revision;
  }

  /** Clients of all tenants. */
  get size(): number {
    return this.#records.size;
  }

  /** How many tenants have clients. */
  get tenants(): number {
    return this.#records.tenants;
  }

  /** Clients of one tenant. No errors. */
  sizeOf(tenant: string): number {
    return this.#records.sizeOf(tenant);
  }

  /** Clients of each tenant that has any. No errors. */
  sizes(): Map<string, number> {
    return this.#records.sizes();
  }

  /** @param key as recordKey() makes it. No errors. */
  get(key: string): Stored | null {
    return this.#records.get(key);
  }

  /** Over the clients of a tenant, from now on. No errors. */
  walk(tenant: string): PresenceWalk {
    return this.#records.walk(tenant);
  }

  /** Instances that have clients, by their records. No errors. */
  instances(): readonly string[] {
    return this.#records.instances();
  }

  /** Keys of the clients that an instance has. No errors. */
  connectedAt(instance: string): ReadonlySet<string> {
    return this.#records.connectedAt(instance);
  }

  /** Has what is stored told; to be called before the watch is opened. */
  followedBy(follower: RecordFollower): void {
    this.#followers.push(follower);
  }

  /** Calls `listener` for every client that comes or goes, until the returned function is called. It must not throw. */
  onEvent(listener: (event: PresenceEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The watch calls it. A large one is read in several turns of the loop; until then what was known before stays. No errors. */
  snapshot(keys: ReadonlyMap<string, StoredKey>, revision: number): void {
    const read = { records: new PresenceRecords(), swallowed: [], changes: new Map<string, KeyUpdate>() };
    this.#reading = { left: keys.entries(), revision, ...read };
    this.#read(this.#reading);
  }

  /** The watch calls it. No errors. */
  change(update: KeyUpdate): void {
    if (this.#reading === null) return this.#apply(update);
    const { changes } = this.#reading;
    changes.delete(update.key);
    changes.set(update.key, update);
  }

  /** Reads no further; to be called after the watch has ended. No errors. */
  stop(): void {
    this.#reading = null;
  }

  #read(reading: Reading): void {
    for (let i = 0; i < AT_ONCE; i++) {
      const next = reading.left.next();
      if (next.done) return this.#replace(reading);
      const [whole, { value, revision }] = next.value;
      const key = whole.slice(this.prefix.length);
      const record = readRecord(value);
      reading.records.set(key, { record, revision });
      if (this.#wasRead && record && changeBetween(this.get(key)?.record ?? null, record)) reading.swallowed.push(key);
    }
    setImmediate(() => {
      if (this.#reading === reading) this.#read(reading);
    });
  }

  #replace({ records, revision, swallowed, changes }: Reading): void {
    const before = this.#records;
    this.#records = records;
    this.#revision = revision;
    this.#wasRead = true;
    this.#reading = null;
    for (const key of swallowed) this.#tell(key, before.get(key)?.record ?? null, records.get(key));
    for (const follower of this.#followers) follower.recordsReplaced();
    for (const update of changes.values()) this.#apply(update);
  }

  #apply({ key: whole, value, revision }: KeyUpdate): void {
    const records = this.#records;
    this.#revision = revision;
    const key = whole.slice(this.prefix.length);
    const before = records.get(key)?.record ?? null;
    const stored = value === null ? null : { record: readRecord(value), revision };
    if (stored === null) records.delete(key);
    else {
      records.set(key, stored);
      this.#tell(key, before, stored);
    }
    for (const follower of this.#followers) follower.recordChanged(key, stored, revision);
  }

  #tell(key: string, before: PresenceRecord | null, stored: Stored | null): void {
    const { record, revision } = stored ?? { record: null, revision: 0 };
    const change = record && changeBetween(before, record);
    if (!change || this.#listeners.size === 0) return;
    const client = parseRecordKey(key);
    if (client === null) return;
    for (const listener of this.#listeners) listener({ ...client, change, record, revision });
  }
}
