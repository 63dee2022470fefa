import { tenantOf, type PresenceRecord, type Stored } from '../store/presence-record.js';
import { PresenceWalk, type Placed } from './presence-walk.js';

/** Records of clients by tenant, so that nobody pays for the clients of other tenants, and by the node that has them. */
export class PresenceRecords {
  /** None of the maps is empty. */
  readonly #tenants = new Map<string, Map<string, Placed>>();
  /** Keys of clients that are connected, by the instance that has them. */
  readonly #connected = new Map<string, Set<string>>();
  #size = 0;
  #places = 0;

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

  /** Clients of each tenant that has any. No errors. */
  sizes(): Map<string, number> {
    return new Map([...this.#tenants].map(([tenant, { size }]) => [tenant, size]));
  }

  /** @param key as recordKey() makes it. No errors. */
  get(key: string): Stored | null {
    return this.#tenants.get(tenantOf(key))?.get(key) ?? null;
  }

  /** Over the clients of a tenant, from now on. No errors. */
  walk(tenant: string): PresenceWalk {
    return new PresenceWalk(this.#tenants.get(tenant) ?? NOBODY);
  }

  /** Instances that have clients. No errors. */
  instances(): readonly string[] {
    return [...this.#connected.keys()];
  }

  /** Keys of the clients that an instance has. No errors. */
  connectedAt(instance: string): ReadonlySet<string> {
    return this.#connected.get(instance) ?? NONE;
  }

  /** No errors. */
  set(key: string, { record, revision }: Stored): void {
    const tenant = tenantOf(key);
    const records = this.#tenants.get(tenant) ?? new Map<string, Placed>();
    const before = records.get(key);
    if (before === undefined) this.#size++;
    else this.#disconnect(key, before.record);
    this.#tenants.set(tenant, records.set(key, { record, revision, place: before?.place ?? ++this.#places }));
    if (!record?.connected) return;
    const keys = this.#connected.get(record.instance) ?? new Set();
    this.#connected.set(record.instance, keys.add(key));
  }

  /** No errors. */
  delete(key: string): void {
    const tenant = tenantOf(key);
    const records = this.#tenants.get(tenant);
    const before = records?.get(key);
    if (records === undefined || before === undefined) return;
    this.#size--;
    this.#disconnect(key, before.record);
    records.delete(key);
    if (records.size === 0) this.#tenants.delete(tenant);
  }

  #disconnect(key: string, record: PresenceRecord | null): void {
    if (!record?.connected) return;
    const keys = this.#connected.get(record.instance);
    keys?.delete(key);
    if (keys?.size === 0) this.#connected.delete(record.instance);
  }
}

const NONE: ReadonlySet<string> = new Set();
const NOBODY: ReadonlyMap<string, Placed> = new Map();
