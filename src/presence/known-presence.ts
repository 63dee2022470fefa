import type { KeyListener, KeyUpdate, KeyWatch, StoredKey } from '../store/cluster-keys.js';
import { changeBetween, type PresenceChange } from './next-record.js';
import {
  parseRecordKey,
  readRecord,
  tenantOf,
  type ClientName,
  type PresenceRecord,
  type Stored,
} from './presence-record.js';
import { PresenceWalk, type Placed } from './presence-walk.js';

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

/** The records of all clients in the memory of this node, as a watch tells them, and the events that follow from them. */
export class KnownPresence implements KeyListener {
  /** By tenant and key, so that nobody pays for the clients of other tenants. No map is empty. */
  #tenants = new Map<string, Map<string, Placed>>();
  #size = 0;
  #places = 0;
  /** Keys of clients that are connected, by the instance that has them. */
  #connected = new Map<string, Set<string>>();
  #isReady = false;
  #revision = 0;
  readonly #followers: RecordFollower[] = [];
  readonly #listeners = new Set<(event: PresenceEvent) => void>();
  /** Set when the watch is opened. */
  watch: Pick<KeyWatch, 'staleMs' | 'reason'> | null = null;

  /** @param prefix of the records among the watched keys */
  constructor(private readonly prefix: string) {}

  /** Whether all records were read. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** The revision up to which the records are known. */
  get revision(): number {
    return this.#revision;
  }

  /** Clients of all tenants. */
  get size(): number {
    return this.#size;
  }

  /** How many tenants have clients. */
  get tenants(): number {
    return this.#tenants.size;
  }

  /** Clients of one tenant. No errors. */
  sizeOf(tenant: string): number {
    return this.#tenants.get(tenant)?.size ?? 0;
  }

  /** @param key as recordKey() makes it. No errors. */
  get(key: string): Stored | null {
    return this.#tenants.get(tenantOf(key))?.get(key) ?? null;
  }

  /** Over the clients of a tenant, from now on. No errors. */
  walk(tenant: string): PresenceWalk {
    return new PresenceWalk(this.#tenants.get(tenant) ?? NOBODY);
  }

  /** Instances that have clients, by their records. No errors. */
  instances(): readonly string[] {
    return [...this.#connected.keys()];
  }

  /** Keys of the clients that an instance has. No errors. */
  connectedAt(instance: string): ReadonlySet<string> {
    return this.#connected.get(instance) ?? NONE;
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

  /** The watch calls it. No errors. */
  snapshot(keys: ReadonlyMap<string, StoredKey>, revision: number): void {
    this.#revision = revision;
    const before = this.#tenants;
    const wasReady = this.#isReady;
    this.#tenants = new Map();
    this.#size = 0;
    this.#connected = new Map();
    for (const [whole, { value, revision: at }] of keys) {
      const key = whole.slice(this.prefix.length);
      const stored = { record: readRecord(value), revision: at };
      this.#set(key, stored);
      // What the gap has swallowed is told now: of several changes of a client the last one.
      if (wasReady) this.#tell(key, before.get(tenantOf(key))?.get(key)?.record ?? null, stored);
    }
    this.#isReady = true;
    for (const follower of this.#followers) follower.recordsReplaced();
  }

  /** The watch calls it. No errors. */
  change({ key: whole, value, revision }: KeyUpdate): void {
    this.#revision = revision;
    const key = whole.slice(this.prefix.length);
    const before = this.get(key)?.record ?? null;
    this.#disconnect(key, before);
    const stored = value === null ? null : { record: readRecord(value), revision };
    if (stored === null) this.#delete(key);
    else {
      this.#set(key, stored);
      this.#tell(key, before, stored);
    }
    for (const follower of this.#followers) follower.recordChanged(key, stored, revision);
  }

  #set(key: string, stored: Stored): void {
    const { record, revision } = stored;
    const tenant = tenantOf(key);
    const records = this.#tenants.get(tenant) ?? new Map<string, Placed>();
    const known = records.get(key);
    if (known === undefined) this.#size++;
    this.#tenants.set(tenant, records.set(key, { record, revision, place: known?.place ?? ++this.#places }));
    if (record === null || !record.connected) return;
    const keys = this.#connected.get(record.instance) ?? new Set();
    this.#connected.set(record.instance, keys.add(key));
  }

  #delete(key: string): void {
    const tenant = tenantOf(key);
    const records = this.#tenants.get(tenant);
    if (records?.delete(key)) this.#size--;
    if (records?.size === 0) this.#tenants.delete(tenant);
  }

  #disconnect(key: string, record: PresenceRecord | null): void {
    if (!record?.connected) return;
    const keys = this.#connected.get(record.instance);
    keys?.delete(key);
    if (keys?.size === 0) this.#connected.delete(record.instance);
  }

  #tell(key: string, before: PresenceRecord | null, { record, revision }: Stored): void {
    const change = record && changeBetween(before, record);
    if (!record || !change || this.#listeners.size === 0) return;
    const client = parseRecordKey(key);
    if (client === null) return;
    for (const listener of this.#listeners) listener({ ...client, change, record, revision });
  }
}

const NONE: ReadonlySet<string> = new Set();
const NOBODY: ReadonlyMap<string, Placed> = new Map();
