import type { ClusterKeys, KeyChange, StoredKey } from '../../src/store/cluster-keys.js';

/** What all views of one memory share. */
interface Memory {
  readonly keys: Map<string, StoredKey>;
  readonly leases: Set<string>;
  revision: number;
}

/** The keys of a cluster in one process, for tests of components that share them. */
export class MemoryClusterKeys implements ClusterKeys {
  constructor(
    readonly path = '',
    private readonly memory: Memory = { keys: new Map(), leases: new Set(), revision: 1 },
  ) {}

  /** Every key by its whole path. */
  get keys(): ReadonlyMap<string, StoredKey> {
    return this.memory.keys;
  }

  grant(_seconds: number): Promise<string> {
    const lease = `lease-${this.memory.leases.size + 1}-${Math.random()}`;
    this.memory.leases.add(lease);
    return Promise.resolve(lease);
  }

  keepAlive(lease: string): Promise<boolean> {
    return Promise.resolve(this.memory.leases.has(lease));
  }

  /** Also what the end of its time does. */
  revoke(lease: string): Promise<void> {
    const { keys, leases } = this.memory;
    leases.delete(lease);
    for (const [key, stored] of keys) if (stored.lease === lease) keys.delete(key);
    return Promise.resolve();
  }

  list(prefix: string): Promise<ReadonlyMap<string, StoredKey>> {
    const from = this.path + prefix;
    const found = [...this.keys].filter(([key]) => key.startsWith(from));
    return Promise.resolve(new Map(found.map(([key, stored]) => [key.slice(this.path.length), stored])));
  }

  commit({ guards, puts = [], deletes = [] }: KeyChange): Promise<number | null> {
    const { keys, leases } = this.memory;
    const holds = guards.every((guard) => {
      const stored = keys.get(this.path + guard.key);
      return 'revision' in guard ? stored?.revision === guard.revision : (stored?.value ?? null) === guard.value;
    });
    if (!holds || puts.some(({ lease }) => lease !== undefined && !leases.has(lease))) return Promise.resolve(null);
    const revision = ++this.memory.revision;
    for (const { key, value, lease } of puts) keys.set(this.path + key, { value, revision, lease: lease ?? null });
    for (const key of deletes) keys.delete(this.path + key);
    return Promise.resolve(revision);
  }

  under(path: string): ClusterKeys {
    return new MemoryClusterKeys(this.path + path, this.memory);
  }
}
