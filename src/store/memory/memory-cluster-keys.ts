import type { ClusterKeys, KeyChange, KeyListener, KeyUpdate, KeyWatch, StoredKey } from '../cluster-keys.js';
import { MemoryKeyWatch } from './memory-key-watch.js';

/** What all views of one memory share. */
interface Memory {
  readonly keys: Map<string, StoredKey>;
  readonly leases: Set<string>;
  readonly watches: Set<MemoryKeyWatch>;
  revision: number;
}

/** The keys of a cluster in one process: of a node without etcd, and of tests of components that share them. */
export class MemoryClusterKeys implements ClusterKeys {
  constructor(
    readonly path = '',
    private readonly memory: Memory = { keys: new Map(), leases: new Set(), watches: new Set(), revision: 1 },
  ) {}

  /** Every key by its whole path. */
  get keys(): ReadonlyMap<string, StoredKey> {
    return this.memory.keys;
  }

  /** The revision of the last change. */
  get revision(): number {
    return this.memory.revision;
  }

  /** Whether the lease has not ended. No errors. */
  hasLease(lease: string): boolean {
    return this.memory.leases.has(lease);
  }

  grant(_leaseSeconds: number): Promise<string> {
    const lease = `lease-${this.memory.leases.size + 1}-${Math.random()}`;
    this.memory.leases.add(lease);
    return Promise.resolve(lease);
  }

  keepAlive(lease: string): Promise<boolean> {
    return Promise.resolve(this.memory.leases.has(lease));
  }

  /** Also what the end of its time does. */
  revoke(lease: string): Promise<void> {
    this.memory.leases.delete(lease);
    const ended = [...this.keys].filter(([, stored]) => stored.lease === lease).map(([key]) => key);
    if (ended.length > 0) this.#apply([], ended);
    return Promise.resolve();
  }

  list(prefix: string): Promise<ReadonlyMap<string, StoredKey>> {
    return Promise.resolve(this.#below(prefix));
  }

  count(prefix: string): Promise<number> {
    return Promise.resolve(this.#below(prefix).size);
  }

  get(key: string): Promise<StoredKey | null> {
    return Promise.resolve(this.keys.get(this.path + key) ?? null);
  }

  watch(prefix: string, listener: KeyListener, signal: AbortSignal): KeyWatch {
    const { watches } = this.memory;
    const watch = new MemoryKeyWatch({
      from: this.path + prefix,
      path: this.path,
      listener,
      signal,
      read: () => ({ keys: this.#below(prefix), revision: this.revision }),
    });
    watches.add(watch);
    signal.addEventListener('abort', () => watches.delete(watch), { once: true });
    return watch;
  }

  commit({ guards, puts = [], deletes = [] }: KeyChange): Promise<number | null> {
    const { keys, leases } = this.memory;
    const holds = guards.every((guard) => {
      const stored = keys.get(this.path + guard.key);
      return 'revision' in guard ? stored?.revision === guard.revision : (stored?.value ?? null) === guard.value;
    });
    if (!holds || puts.some(({ lease }) => lease !== undefined && !leases.has(lease))) return Promise.resolve(null);
    const stored = puts.map(({ key, ...rest }) => ({ ...rest, key: this.path + key }));
    return Promise.resolve(
      this.#apply(
        stored,
        deletes.map((key) => this.path + key),
      ),
    );
  }

  under(path: string): ClusterKeys {
    return new MemoryClusterKeys(this.path + path, this.memory);
  }

  /** @param deletes whole paths, as those of `puts` are */
  #apply(puts: NonNullable<KeyChange['puts']>, deletes: readonly string[]): number {
    const { keys, watches } = this.memory;
    const revision = ++this.memory.revision;
    const updates: KeyUpdate[] = puts.map(({ key, value }) => ({ key, value, revision }));
    for (const { key, value, lease } of puts) keys.set(key, { value, revision, lease: lease ?? null });
    for (const key of deletes) if (keys.delete(key)) updates.push({ key, value: null, revision });
    for (const watch of watches) watch.tell(updates);
    return revision;
  }

  #below(prefix: string): ReadonlyMap<string, StoredKey> {
    const from = this.path + prefix;
    const found = [...this.keys].filter(([key]) => key.startsWith(from));
    return new Map(found.map(([key, stored]) => [key.slice(this.path.length), stored]));
  }
}
