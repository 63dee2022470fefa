import type { ClusterKeys, KeyChange } from '../../src/store/cluster-keys.js';

interface Stored {
  readonly value: string;
  readonly lease: string | undefined;
}

/** The keys of a cluster in one process: for tests of those that share them. */
export class MemoryClusterKeys implements ClusterKeys {
  constructor(
    private readonly root = '',
    readonly keys = new Map<string, Stored>(),
    private readonly leases = new Set<string>(),
  ) {}

  grant(): Promise<string> {
    const lease = `lease-${this.leases.size + 1}-${Math.random()}`;
    this.leases.add(lease);
    return Promise.resolve(lease);
  }

  keepAlive(lease: string): Promise<boolean> {
    return Promise.resolve(this.leases.has(lease));
  }

  /** Also what the end of its time does. */
  revoke(lease: string): Promise<void> {
    this.leases.delete(lease);
    for (const [key, stored] of this.keys) if (stored.lease === lease) this.keys.delete(key);
    return Promise.resolve();
  }

  list(prefix: string): Promise<ReadonlyMap<string, string>> {
    const from = this.root + prefix;
    const found = [...this.keys].filter(([key]) => key.startsWith(from));
    return Promise.resolve(new Map(found.map(([key, { value }]) => [key.slice(this.root.length), value])));
  }

  commit({ guards, puts = [], deletes = [] }: KeyChange): Promise<boolean> {
    const holds = guards.every(({ key, value }) => (this.keys.get(this.root + key)?.value ?? null) === value);
    if (!holds || puts.some(({ lease }) => lease !== undefined && !this.leases.has(lease)))
      return Promise.resolve(false);
    for (const { key, value, lease } of puts) this.keys.set(this.root + key, { value, lease });
    for (const key of deletes) this.keys.delete(this.root + key);
    return Promise.resolve(true);
  }

  under(path: string): ClusterKeys {
    return new MemoryClusterKeys(this.root + path, this.keys, this.leases);
  }
}
