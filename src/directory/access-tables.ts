import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StoredKey } from '../store/cluster-keys.js';
import {
  placeOf,
  readEntry,
  RECORD_KINDS,
  type AccessEntry,
  type KindName,
  type RecordPlace,
  type RecordTypes,
} from './access-records.js';
import { RecordTable } from './record-table.js';

type Tables = { readonly [Name in KindName]: RecordTable<RecordTypes[Name]> };

/** What policies are attached to. */
type Holder = AccessEntry<RecordTypes['tenant' | 'group' | 'authority' | 'principal']>;

/** Milliseconds for which nothing else is done. */
const SLICE_MS = 5;

const NONE: ReadonlySet<string> = new Set();

/** All records of access of one state of the store. */
export class AccessTables {
  readonly #tables = Object.fromEntries(
    Object.keys(RECORD_KINDS).map((name) => [name, new RecordTable()]),
  ) as unknown as Tables;
  /** Ids of keys by tenant and principal. */
  readonly #keysOf = new Map<string, Set<string>>();
  /** How many keys a tenant has. */
  readonly #keysIn = new Map<string, number>();
  /** How many tenants, groups, authorities and principals have a policy, by tenant and policy. */
  readonly #holders = new Map<string, number>();
  readonly #faults = new Map<string, string>();

  /**
   * Reads all records, with pauses: each costs about 10 µs, and the node must go on meanwhile. Foreign keys become faults.
   * @returns null as soon as `isWanted` is false. Never rejects
   */
  static async read(keys: ReadonlyMap<string, StoredKey>, isWanted: () => boolean): Promise<AccessTables | null> {
    const tables = new AccessTables();
    let until = performance.now() + SLICE_MS;
    for (const [key, stored] of keys) {
      tables.set(key, stored);
      if (performance.now() < until) continue;
      await nextTurn();
      if (!isWanted()) return null;
      until = performance.now() + SLICE_MS;
    }
    return isWanted() ? tables : null;
  }

  /** What cannot be read, by key, for operators. */
  get faults(): ReadonlyMap<string, string> {
    return this.#faults;
  }

  table<Name extends KindName>(kind: Name): RecordTable<RecordTypes[Name]> {
    return this.#tables[kind] as RecordTable<RecordTypes[Name]>;
  }

  /** Ids of the keys of a principal. */
  keysOf(tenant: string, principal: string): ReadonlySet<string> {
    return this.#keysOf.get(`${tenant}/${principal}`) ?? NONE;
  }

  /** Records of a kind that belong to a tenant. */
  countIn(kind: KindName, tenant: string): number {
    return kind === 'key' ? (this.#keysIn.get(tenant) ?? 0) : this.#tables[kind].sizeUnder(tenant);
  }

  /** How many principals, groups and authorities have a policy; its tenant counts as one. */
  holdersOf(tenant: string, policy: string): number {
    return this.#holders.get(`${tenant}/${policy}`) ?? 0;
  }

  /** Takes a record over; null: it is gone. Returns which it is; null: the key is foreign. No errors. */
  set(key: string, stored: Pick<StoredKey, 'value' | 'revision'> | null): RecordPlace | null {
    this.#faults.delete(key);
    const place = placeOf(key);
    if (place) this.#setRecord(key, place, stored);
    else if (stored) this.#faults.set(key, `${JSON.stringify(key.slice(0, 200))} is no record that this version knows`);
    return place;
  }

  #setRecord<Name extends KindName>(
    key: string,
    { kind, names }: { readonly kind: Name; readonly names: readonly string[] },
    stored: Pick<StoredKey, 'value' | 'revision'> | null,
  ): void {
    const table = this.table(kind);
    const entry = stored && readEntry(kind, names, stored);
    if (kind === 'key') this.#index(names[0] ?? '', entry as AccessEntry<RecordTypes['key']> | null);
    if (kind === 'tenant' || kind === 'group' || kind === 'authority' || kind === 'principal') {
      this.#countHolders(table.get(...(names as [string])) as Holder | null, -1);
      this.#countHolders(entry as Holder | null, 1);
    }
    if (!entry) return table.delete(names);
    table.set(entry);
    if (entry.fault !== null) this.#faults.set(key, entry.fault);
  }

  #countHolders(entry: Holder | null, by: 1 | -1): void {
    for (const policy of entry?.record.policies ?? []) {
      const name = `${entry?.names[0] ?? ''}/${policy}`;
      const count = (this.#holders.get(name) ?? 0) + by;
      if (count > 0) this.#holders.set(name, count);
      else this.#holders.delete(name);
    }
  }

  #index(keyId: string, entry: AccessEntry<RecordTypes['key']> | null): void {
    const before = this.#tables.key.get(keyId)?.record;
    if (before) {
      const name = `${before.tenant}/${before.principal}`;
      const ids = this.#keysOf.get(name);
      ids?.delete(keyId);
      if (ids?.size === 0) this.#keysOf.delete(name);
      this.#countKey(before.tenant, -1);
    }
    if (!entry) return;
    this.#countKey(entry.record.tenant, 1);
    const name = `${entry.record.tenant}/${entry.record.principal}`;
    const ids = this.#keysOf.get(name);
    if (ids) ids.add(keyId);
    else this.#keysOf.set(name, new Set([keyId]));
  }

  #countKey(tenant: string, by: 1 | -1): void {
    const count = (this.#keysIn.get(tenant) ?? 0) + by;
    if (count > 0) this.#keysIn.set(tenant, count);
    else this.#keysIn.delete(tenant);
  }
}
