import type { ClusterKeys, Put } from '../store/cluster-keys.js';

/** What a node says of the shards of a sink that it holds. */
export interface SinkReport {
  readonly node: string;
  /** Hexadecimal numbers. */
  readonly shards: readonly string[];
  /** Everything up to this revision is safe in the sink; null: not known yet. */
  readonly confirmedRevision: number | null;
  /** Changes on their way. */
  readonly inFlight: number;
  readonly revisionsBehind: number;
  /** Age of the oldest change that is not safe in the sink. */
  readonly secondsBehind: number;
  readonly ok: boolean;
  /** What the sink does, or what is in its way. */
  readonly reason: string;
}

/** Puts of one commit; etcd takes 128 operations. */
const CHUNK = 100;

/** What the nodes say of their sinks, in keys that end with the leases of the nodes. */
export class SinkReports {
  /** What this node has said, by key. */
  #said = new Map<string, string>();

  /**
   * @param keys those below SINKS_PATH
   * @param instance this life of this node
   */
  constructor(
    private readonly keys: ClusterKeys,
    private readonly instance: string,
  ) {}

  /**
   * Writes what has changed since the last call, and nothing else.
   * @param reports by the id of the sink; those that are left out are taken back
   * @throws ServiceError storageUnavailable, storageFull, draining
   */
  async publish(reports: ReadonlyMap<string, SinkReport>, lease: string): Promise<void> {
    const texts = new Map([...reports].map(([id, report]) => [this.#key(id), JSON.stringify(report)]));
    const puts: Put[] = [];
    for (const [key, value] of texts) if (this.#said.get(key) !== `${lease} ${value}`) puts.push({ key, value, lease });
    const deletes = [...this.#said.keys()].filter((key) => !texts.has(key));
    for (let at = 0; at < Math.max(puts.length, deletes.length); at += CHUNK / 2) {
      const some = { puts: puts.slice(at, at + CHUNK / 2), deletes: deletes.slice(at, at + CHUNK / 2) };
      await this.keys.commit({ guards: [], ...some });
    }
    this.#said = new Map([...texts].map(([key, value]) => [key, `${lease} ${value}`]));
  }

  /**
   * What all nodes say of a sink, by its id.
   * @throws ServiceError storageUnavailable, draining
   */
  async of(id: string): Promise<readonly SinkReport[]> {
    return [...(await this.keys.list(`status/${id}/`)).values()].map(({ value }) => JSON.parse(value) as SinkReport);
  }

  #key(id: string): string {
    return `status/${id}/${this.instance}`;
  }
}
