import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../config/config.js';
import { CLUSTER_KEYS, type ClusterKeys } from '../store/cluster-keys.js';
import { STORAGE, type Storage } from '../store/storage.js';
import { HealthRegistry } from './health-registry.js';
import type { Status } from './health.openapi.js';

/** Path of the names of live nodes, as cluster/node-name.ts keeps them. */
const NAMES = 'nodes/';
/** Milliseconds that the names may take: the page must come while etcd is away. */
const NAMES_MS = 1_000;

/** How this node is, for an operator. */
@Injectable()
export class NodeStatus {
  constructor(
    private readonly health: HealthRegistry,
    @Inject(STORAGE) private readonly storage: Storage,
    @Inject(CLUSTER_KEYS) private readonly keys: ClusterKeys | null,
    @Inject(CONFIG) private readonly config: Pick<Config, 'nodeId'>,
  ) {}

  /** No errors. */
  async status(): Promise<Status> {
    const { parts, ...report } = this.health.report();
    const all = Object.entries(parts).map(([name, part]) => [
      name,
      { ...part, failures: this.health.failuresOf(name) },
    ]);
    return {
      ...{ node: this.config.nodeId, ...report },
      startedAt: new Date(performance.timeOrigin).toISOString(),
      parts: Object.fromEntries(all) as Status['parts'],
      storage: this.#use(),
      nodes: await this.#names(),
    };
  }

  #use(): Status['storage'] {
    const use = this.storage.use?.();
    if (!use) return null;
    const { members, quotaBytes, full, recordFormats } = use;
    return {
      quotaBytes,
      full,
      recordFormats: { reads: [...recordFormats.reads], writes: recordFormats.writes },
      members: members.map(({ host, isLeader, usedBytes }) => ({
        ...{ member: host, leader: isLeader, usedBytes },
        quotaShare: Math.round((usedBytes / quotaBytes) * 1000) / 1000,
      })),
    };
  }

  async #names(): Promise<string[] | null> {
    if (this.keys === null) return null;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), NAMES_MS);
    });
    const names = this.keys
      .under(NAMES)
      .list('')
      .then(
        (found) => [...found.keys()].sort(),
        () => null,
      );
    try {
      return await Promise.race([names, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
