import { LRUCache } from 'lru-cache';
import { ServiceError } from '../../../errors/service-error.js';
import type { Clock } from '../../../resilience/clock.js';
import type { Logger } from '../../../telemetry/logger.js';
import {
  exclusiveClaimOf,
  ExclusiveClaims,
  exclusivelyHeld,
  exclusiveTurn,
  leaseFolder,
  leaseKey,
  type ExclusiveClaim,
} from '../../exclusive-claims.js';
import type { EtcdMembers } from '../client/members.js';
import type { FencedBy } from '../client/nested-txn.js';
import { clusterPrefix, rangeEnd } from '../keys.js';
import type { Lineage } from '../lineage.js';
import type { ReadBatcher } from '../read/read-batcher.js';
import { MARGIN_MS } from './flat-commit.js';

/** Tenants whose claims are kept. */
const MAX_TENANTS = 10_000;
/** Names in the claims that are kept, of all tenants; a tenant has 10,000 at most (leases/lease-table.ts). */
const MAX_NAMES = 200_000;

/** The exclusive leases of one tenant, as of the revision of its turn: the write that compares it relies on them. */
export interface TenantClaims extends FencedBy {
  readonly tenant: string;
  /** By their keys in etcd. */
  readonly claims: ExclusiveClaims;
  /** The history that the turn belongs to. */
  readonly entered: number;
}

/** A write to `desired` of one tenant's things. */
export interface DesiredWrite {
  readonly tenant: string;
  readonly things: readonly string[];
  readonly fence: FencedBy | undefined;
  /** Milliseconds of the monotonic clock. */
  readonly deadline: number;
}

export interface KnownClaimsParts {
  readonly cluster: EtcdMembers;
  readonly reads: ReadBatcher;
  readonly history: Lineage;
  /** Prefix of everything of the service in etcd. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The exclusive leases that this node knows, read when a write to `desired` of their tenant wants them and kept until the
 * turn has moved. Nothing follows them: the commit finds out whether they are all (store/exclusive-claims.ts).
 */
export class KnownClaims {
  readonly #root: string;
  readonly #known = new LRUCache<string, TenantClaims>({
    max: MAX_TENANTS,
    maxSize: MAX_NAMES,
    sizeCalculation: ({ claims }) => claims.names + 1,
  });
  /** Lists under way, by tenant. */
  readonly #lists = new Map<string, Promise<TenantClaims>>();

  constructor(private readonly parts: KnownClaimsParts) {
    this.#root = clusterPrefix(parts.prefix);
  }

  /** What a write may be committed with at once; undefined: `admit` finds out. No errors. */
  passing(tenant: string, thing: string, fence: FencedBy | undefined): TenantClaims | undefined {
    const known = this.#known.get(tenant);
    if (known === undefined || known.entered !== this.parts.history.entered) return undefined;
    return known.claims.keptFrom(thing, fence?.key) === null ? known : undefined;
  }

  /**
   * What the write is to be committed with: of all its things none is held by others there.
   * @throws ServiceError leaseExclusive; fenced, when that is why the write is not the holder's; storageUnavailable,
   * tooManyRequests, draining
   */
  async admit(write: DesiredWrite): Promise<TenantClaims> {
    const { tenant, things, fence, deadline } = write;
    for (;;) {
      const known = this.#known.get(tenant);
      if (known === undefined || known.entered !== this.parts.history.entered) {
        await this.#read(tenant, deadline);
        continue;
      }
      const held = things.find((thing) => known.claims.keptFrom(thing, fence?.key) !== null);
      if (held === undefined) return known;
      const key = known.claims.keptFrom(held, fence?.key)!;
      const claim = known.claims.get(key)!;
      if (await this.#lives(key, write)) throw exclusivelyHeld(held, claim);
      known.claims.end(key);
    }
  }

  /** @throws ServiceError fenced when the write's own claim does not: that comes first */
  async #lives(key: string, { fence, deadline }: DesiredWrite): Promise<boolean> {
    const { reads } = this.parts;
    const [found, own] = await Promise.all([reads.get(key, deadline), fence && reads.get(fence.key, deadline)]);
    if (fence && (own?.current?.revision ?? 0) !== fence.revision) throw new ServiceError('fenced');
    return found.current !== null;
  }

  /** The turn has moved, so there are leases that it does not have. No errors. */
  moved(claims: TenantClaims): void {
    if (this.#known.get(claims.tenant) === claims) this.#known.delete(claims.tenant);
  }

  /** One list at a time for each tenant. */
  async #read(tenant: string, deadline: number): Promise<void> {
    const { reads, history, clock } = this.parts;
    const { entered } = history;
    const key = this.#root + exclusiveTurn(tenant);
    // Most tenants have never had one.
    const { current } = await reads.get(key, deadline);
    if (current === null)
      return void this.#known.set(tenant, { tenant, key, revision: 0, claims: new ExclusiveClaims(), entered });
    const shared = this.#lists.get(tenant);
    if (shared === undefined) return void this.#known.set(tenant, await this.#begin(tenant, deadline));
    try {
      await shared;
    } catch (error) {
      // The one who began it may have had less time.
      if (deadline - clock.monotonic() <= MARGIN_MS) throw error;
    }
  }

  #begin(tenant: string, deadline: number): Promise<TenantClaims> {
    const list = this.#list(tenant, deadline).finally(() => this.#lists.delete(tenant));
    this.#lists.set(tenant, list);
    return list;
  }

  async #list(tenant: string, deadline: number): Promise<TenantClaims> {
    const { cluster, history, logger } = this.parts;
    const { entered } = history;
    const folder = this.#root + leaseFolder(tenant);
    const range = { key: Buffer.from(folder), range_end: rangeEnd(folder) };
    const { kvs } = await cluster
      .read((client, call) => client.kv.range(range, call), deadline)
      .catch((error) => {
        if (error instanceof ServiceError) throw error;
        logger.error({ tenant, err: error }, 'etcd rejects a read of leases');
        throw new ServiceError('storageUnavailable');
      });
    const key = this.#root + exclusiveTurn(tenant);
    const held = this.#root + leaseKey(tenant, '');
    const claims: [key: string, claim: ExclusiveClaim][] = [];
    let revision = 0;
    for (const kv of kvs) {
      const name = kv.key.toString();
      if (name === key) revision = Number(kv.mod_revision);
      const claim = name.startsWith(held) ? exclusiveClaimOf(kv.value.toString()) : null;
      if (claim !== null) claims.push([name, claim]);
    }
    return { tenant, key, revision, claims: new ExclusiveClaims(claims), entered };
  }
}
