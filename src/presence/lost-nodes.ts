import { setTimeout as pause } from 'node:timers/promises';
import { INSTANCES, type ClusterView } from '../cluster/instances.js';
import type { Claimant } from '../cluster/shard-claims.js';
import { ownerOf } from '../cluster/shard-owner.js';
import type { Clock } from '../resilience/clock.js';
import type { ClusterKeys } from '../store/cluster-keys.js';
import type { Logger } from '../telemetry/logger.js';
import { reasonOf } from '../telemetry/reason.js';
import type { KnownPresence } from './known-presence.js';
import { lostRecord } from './next-record.js';
import { RECORDS, writeRecord, type PresenceRecord } from '../store/presence-record.js';
import { MOST_IN_COMMIT } from './presence-writer.js';
import type { RecordLeases } from './record-leases.js';

/** Milliseconds between two transactions: a node with 10,000 clients takes two seconds and leaves etcd to others. */
const PAUSE_MS = 20;

export interface LostNodesOptions {
  /** The keys of presence. */
  readonly keys: ClusterKeys;
  readonly self: Claimant;
  readonly known: KnownPresence;
  readonly leases: RecordLeases;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Lost {
  readonly key: string;
  readonly record: PresenceRecord;
  readonly revision: number;
}

/**
 * Marks the clients of nodes whose lease has ended as disconnected. One of the live nodes does it for each. Every
 * transaction is guarded: the node must not have come back, and no client of it may have connected elsewhere since. So
 * two nodes that do it at once do no harm.
 */
export class LostNodes {
  #work: Promise<void> | null = null;
  #stopped = false;

  constructor(private readonly options: LostNodesOptions) {}

  /** Looks for lost nodes in a view of the cluster. No errors. */
  see({ live }: Pick<ClusterView, 'live'>): void {
    const { self, known } = this.options;
    if (this.#work !== null || this.#stopped || !known.isReady || self.lease === null) return;
    const lives = new Set(live);
    const lost = known.instances().filter((each) => !lives.has(each) && ownerOf(each, live) === self.id);
    if (lost.length === 0) return;
    this.#work = this.#mark(lost).finally(() => (this.#work = null));
  }

  /** Never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#work;
  }

  async #mark(lost: readonly string[]): Promise<void> {
    const { logger } = this.options;
    for (const instance of lost) {
      try {
        const marked = await this.#markClients(instance);
        if (marked > 0) logger.warn({ instance, clients: marked }, 'a node is lost; its clients are disconnected');
      } catch (error) {
        this.options.leases.forget();
        // The next view is never far.
        logger.warn({ instance, reason: reasonOf(error) }, 'clients of a lost node could not be marked yet');
      }
    }
  }

  /** @returns how many were marked. @throws ServiceError storageUnavailable, storageFull, draining */
  async #markClients(instance: string): Promise<number> {
    const { keys, leases, clock } = this.options;
    // Which are marked, though the watch has not told so yet, or refuse to be.
    const done = new Map<string, number>();
    let marked = 0;
    for (let most = MOST_IN_COMMIT; !this.#stopped;) {
      const batch = this.#clientsOf(instance, done, most);
      if (batch.length === 0) return marked;
      const at = clock.now();
      const lease = await leases.acquire(batch.length);
      const revision = await keys.commit({
        guards: [
          { key: INSTANCES + instance, value: null },
          ...batch.map((each) => ({ key: RECORDS + each.key, revision: each.revision })),
        ],
        puts: batch.map((each) => ({
          key: RECORDS + each.key,
          value: writeRecord(lostRecord(each, at)),
          lease,
        })),
      });
      if (revision !== null) marked += batch.length;
      else if (batch.length === 1 && (await this.#isBack(instance, batch[0]!))) return marked;
      if (revision !== null || batch.length === 1) for (const each of batch) done.set(each.key, each.revision);
      most = revision === null ? Math.max(1, batch.length >> 1) : Math.min(MOST_IN_COMMIT, most * 2);
      await pause(PAUSE_MS, undefined, { ref: false });
    }
    return marked;
  }

  /**
   * Why the mark of one client was refused.
   * @throws Error when neither the node nor the client explains it; ServiceError storageUnavailable, draining
   */
  async #isBack(instance: string, { key, revision }: Lost): Promise<boolean> {
    const { keys } = this.options;
    if ((await keys.get(INSTANCES + instance)) !== null) return true;
    const found = await keys.get(RECORDS + key);
    // After the restore of a backup etcd does not know it.
    if (found?.revision === revision) throw new Error('a lease has ended');
    return false;
  }

  #clientsOf(instance: string, done: ReadonlyMap<string, number>, most: number): Lost[] {
    const { known } = this.options;
    const found: Lost[] = [];
    for (const key of known.connectedAt(instance)) {
      if (found.length === most) break;
      const stored = known.get(key);
      if (!stored?.record || done.get(key) === stored.revision) continue;
      found.push({ key, record: stored.record, revision: stored.revision });
    }
    return found;
  }
}
