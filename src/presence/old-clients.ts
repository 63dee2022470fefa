import { setTimeout as pause } from 'node:timers/promises';
import type { ClusterView } from '../cluster/instances.js';
import type { Claimant } from '../cluster/shard-claims.js';
import { ownerOf } from '../cluster/shard-owner.js';
import type { Clock } from '../resilience/clock.js';
import type { ClusterKeys } from '../store/cluster-keys.js';
import { RECORDS } from '../store/presence-record.js';
import type { Logger } from '../telemetry/logger.js';
import { reasonOf } from '../telemetry/reason.js';
import { clientsBeyond } from './client-room.js';
import type { KnownPresence } from './known-presence.js';
import { MOST_IN_COMMIT } from './presence-writer.js';

/** Milliseconds since a client has left for which it is remembered, however many there are. */
const KEPT_MS = 3_600_000;
/** Clients of a tenant that are forgotten at one look, which comes about once a second. */
const MOST_AT_ONCE = 1_000;
/** Records that are looked at in one turn of the loop. */
const TURN = 5_000;
/** Milliseconds between two transactions. */
const PAUSE_MS = 20;
/** Milliseconds until a tenant is looked at again of which there were too few: most are connected, or have just left. */
const IN_VAIN_MS = 60_000;

export interface OldClientsOptions {
  /** The keys of presence. */
  readonly keys: Pick<ClusterKeys, 'commit'>;
  readonly self: Claimant;
  readonly known: KnownPresence;
  readonly maxClients: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A client that has left. */
interface Old {
  readonly key: string;
  readonly revision: number;
  readonly since: number;
}

/**
 * Forgets clients before there are too many: of the tenants that have more than their share those that left first. One of
 * the live nodes does it for each tenant. No client that is connected is forgotten, nor one that has left within the hour:
 * each transaction is guarded by the records that it deletes.
 */
export class OldClients {
  #work: Promise<void> | null = null;
  #stopped = false;
  /** Milliseconds of the monotonic clock before which a tenant is not looked at. */
  readonly #notBefore = new Map<string, number>();

  constructor(private readonly options: OldClientsOptions) {}

  /** Looks whether there are too many, in a view of the cluster. No errors. */
  see({ live }: Pick<ClusterView, 'live'>): void {
    const { self, known, maxClients } = this.options;
    if (this.#work !== null || this.#stopped || !known.isReady || self.lease === null) return;
    const beyond = [...clientsBeyond(known.sizes(), maxClients)];
    const own = beyond.filter(([tenant]) => ownerOf(tenant, live) === self.id && this.#isDue(tenant));
    if (own.length > 0) this.#work = this.#forgetAll(own).finally(() => (this.#work = null));
  }

  /** Resolves when no look is under way. Never rejects. */
  async idle(): Promise<void> {
    await this.#work;
  }

  /** Never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#work;
  }

  #isDue(tenant: string): boolean {
    if (this.options.clock.monotonic() < (this.#notBefore.get(tenant) ?? 0)) return false;
    this.#notBefore.delete(tenant);
    return true;
  }

  async #forgetAll(beyond: readonly [tenant: string, count: number][]): Promise<void> {
    const { logger, clock } = this.options;
    for (const [tenant, count] of beyond) {
      try {
        const wanted = Math.min(count, MOST_AT_ONCE);
        const old = await this.#oldest(tenant, wanted);
        if (old.length < wanted) this.#notBefore.set(tenant, clock.monotonic() + IN_VAIN_MS);
        const clients = await this.#forget(old);
        if (clients > 0)
          logger.info({ tenant, clients }, 'clients that left long ago are forgotten: too many are known');
      } catch (error) {
        // The next view is never far.
        logger.warn({ tenant, reason: reasonOf(error) }, 'clients that left long ago could not be forgotten yet');
      }
    }
  }

  /** Those that left first, at most `most`. */
  async #oldest(tenant: string, most: number): Promise<readonly Old[]> {
    const { known, clock } = this.options;
    let until = clock.now() - KEPT_MS;
    let found: Old[] = [];
    let seen = 0;
    for (const key of known.walk(tenant).keys()) {
      if (++seen % TURN === 0) await new Promise(setImmediate);
      const stored = known.get(key);
      if (!stored?.record || stored.record.connected || stored.record.since > until) continue;
      found.push({ key, revision: stored.revision, since: stored.record.since });
      if (found.length < 2 * most) continue;
      found = firstOf(found, most);
      until = found.at(-1)?.since ?? until;
    }
    return firstOf(found, most);
  }

  /** @returns how many are forgotten. @throws ServiceError storageUnavailable, storageFull, draining */
  async #forget(old: readonly Old[]): Promise<number> {
    let forgotten = 0;
    for (let at = 0; at < old.length && !this.#stopped; at += MOST_IN_COMMIT) {
      if (at > 0) await pause(PAUSE_MS, undefined, { ref: false });
      const batch = old.slice(at, at + MOST_IN_COMMIT).map(({ key, revision }) => ({ key: RECORDS + key, revision }));
      const deletes = batch.map(({ key }) => key);
      // One that has come back meanwhile keeps the others of its transaction until the next look.
      if ((await this.options.keys.commit({ guards: batch, deletes })) !== null) forgotten += batch.length;
    }
    return forgotten;
  }
}

const firstOf = (found: Old[], most: number): Old[] => found.sort((a, b) => a.since - b.since).slice(0, most);
