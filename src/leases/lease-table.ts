import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { ServiceError } from '../errors/service-error.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { pauseAfter } from '../resilience/back-off.js';
import { CLUSTER_KEYS, type ClusterKeys, type StoredKey } from '../store/cluster-keys.js';
import { exclusiveTurn, leaseFolder, leaseKey } from '../store/exclusive-claims.js';
import { LOGGER, type Logger } from '../telemetry/logger.js';
import { leaseOf, leaseText, sharedWith, type LeaseRecord, type LeaseRequest } from './lease-record.js';

/** Leases of one tenant; each new one reads all. */
const MAX_LEASES = 1_000;
/** Names in all leases of one tenant, which bounds what a new one reads and compares: about 1.3 MiB. */
const MAX_TENANT_NAMES = 10_000;
/** Leases that a node remembers for the writes that carry them. */
const MAX_REMEMBERED = 10_000;
/** Pauses of a caller who lost to another lease of its tenant. */
const AGAIN = { first: 5, longest: 200 };
const ID = /^[A-Za-z0-9_-]{22}$/;

/** A lease that was alive when it was read. */
export interface Lease {
  readonly id: string;
  /** The fence: the revision of etcd at which the lease was taken. A later lease has a higher one. */
  readonly token: number;
  readonly record: LeaseRecord;
}

/** A lease whose time has just begun. */
export interface LiveLease extends Lease {
  /** Milliseconds since 1970 by the clock of this node; the lease lives at least until then unless it is ended. */
  readonly expiresAtMs: number;
}

/**
 * The leases of all tenants: a key for each lease, which ends with a lease of etcd, and a key for each tenant that every
 * new lease puts. A new lease is committed only if that key is as it was when the others were read, so of two that share
 * a thing one comes second and sees the first. A lease that ends changes nothing for the others. An exclusive one puts a
 * key more, which every write to `desired` compares (store/exclusive-claims.ts).
 */
@Injectable()
export class LeaseTable {
  readonly #remembered = new LRUCache<string, Lease>({ max: MAX_REMEMBERED });

  constructor(
    /** Null in a storage of one process, which keeps no leases. */
    @Inject(CLUSTER_KEYS) private readonly keys: ClusterKeys | null,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * @param deadline milliseconds of the monotonic clock
   * @throws ServiceError leaseHeld; tooManyRequests when the tenant has too many; storageUnavailable, after which the
   * lease may exist until its time is over; storageFull, draining
   */
  async take(tenant: string, principal: string, request: LeaseRequest, deadline: number): Promise<LiveLease> {
    const id = randomBytes(16).toString('base64url');
    const createdAtMs = this.clock.now();
    const taken = { id, record: { ...request, principal, createdAtMs } };
    let etcdLease: string | null = null;
    try {
      for (let failures = 0; ; failures++) {
        const stored = await this.#keys.list(leaseFolder(tenant));
        const own = stored.get(leaseKey(tenant, id));
        // Committed, although its answer was lost.
        if (own !== undefined) return live(taken, own.revision);
        checkRoom(leasesIn(tenant, stored), request);
        etcdLease ??= await this.#keys.grant(request.ttlSeconds);
        const token = await this.#commit(tenant, taken, stored.get(turnOf(tenant)), etcdLease);
        if (token !== null) return live(taken, token);
        const waitMs = pauseAfter(failures, AGAIN);
        if (this.clock.monotonic() + waitMs >= deadline)
          throw new ServiceError('tooManyRequests', 'other leases of the tenant are taken at the same time');
        await pause(waitMs);
      }
    } catch (error) {
      if (etcdLease !== null) this.#giveBack(etcdLease);
      throw error;
    }
  }

  /** @throws ServiceError noRecord, storageUnavailable, draining */
  async get(tenant: string, id: string): Promise<Lease> {
    return (await this.#find(tenant, id)).lease;
  }

  /** All of a tenant, in the order of their ids. @throws ServiceError storageUnavailable, draining */
  async list(tenant: string): Promise<Lease[]> {
    return leasesIn(tenant, await this.#keys.list(leaseFolder(tenant))).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Its time begins again. @throws ServiceError noRecord, storageUnavailable, draining */
  async renew(tenant: string, id: string): Promise<LiveLease> {
    const { lease, etcdLease } = await this.#find(tenant, id);
    const { ttlSeconds } = lease.record;
    const askedAtMs = this.clock.now();
    if (!(await this.#keys.keepAlive(etcdLease))) throw noLease();
    return { ...lease, expiresAtMs: askedAtMs + ttlSeconds * 1000 };
  }

  /** @throws ServiceError noRecord, storageUnavailable, draining */
  async end(tenant: string, id: string): Promise<void> {
    const { etcdLease } = await this.#find(tenant, id);
    await this.#keys.revoke(etcdLease);
    this.forget(tenant, id);
  }

  /**
   * The lease as this node knows it: a lease never changes, but may have ended, which the fence of the write finds out.
   * @returns null: there is no such lease
   * @throws ServiceError storageUnavailable, draining
   */
  async recall(tenant: string, id: string): Promise<Lease | null> {
    if (!ID.test(id)) return null;
    const key = leaseKey(tenant, id);
    const known = this.#remembered.get(key);
    if (known !== undefined) return known;
    const stored = await this.#keys.get(key);
    if (stored === null) return null;
    const lease = { id, token: stored.revision, record: leaseOf(stored.value) };
    this.#remembered.set(key, lease);
    return lease;
  }

  /** The lease has ended. No errors. */
  forget(tenant: string, id: string): void {
    this.#remembered.delete(leaseKey(tenant, id));
  }

  get #keys(): ClusterKeys {
    if (this.keys === null) throw new Error('leases need etcd');
    return this.keys;
  }

  async #find(tenant: string, id: string): Promise<{ readonly lease: Lease; readonly etcdLease: string }> {
    const stored = ID.test(id) ? await this.#keys.get(leaseKey(tenant, id)) : null;
    if (stored === null || stored.lease === null) throw noLease();
    return { lease: { id, token: stored.revision, record: leaseOf(stored.value) }, etcdLease: stored.lease };
  }

  #commit(
    tenant: string,
    { id, record }: Omit<Lease, 'token'>,
    turn: StoredKey | undefined,
    lease: string,
  ): Promise<number | null> {
    const key = turnOf(tenant);
    const guard = turn === undefined ? { key, value: null } : { key, revision: turn.revision };
    return this.#keys.commit({
      guards: [guard],
      puts: [
        { key, value: id },
        ...(record.exclusive ? [{ key: exclusiveTurn(tenant), value: id }] : []),
        { key: leaseKey(tenant, id), value: leaseText(record), lease },
      ],
    });
  }

  /** Nobody waits for it: without an answer the lease of etcd ends by its time. */
  #giveBack(etcdLease: string): void {
    this.#keys
      .revoke(etcdLease)
      .catch((error: unknown) => this.logger.debug({ err: error }, 'a lease was not revoked'));
  }
}

const turnOf = (tenant: string): string => `${leaseFolder(tenant)}turn`;

/** The answer about a lease that is not there for the caller. No errors. */
export const noLease = (): ServiceError =>
  new ServiceError('noRecord', 'lease of this id; it has ended, or was never taken');

/** The time of etcd began after the request for it, so the lease lives a little longer than it says. */
function live(taken: Omit<Lease, 'token'>, token: number): LiveLease {
  const { createdAtMs, ttlSeconds } = taken.record;
  return { ...taken, token, expiresAtMs: createdAtMs + ttlSeconds * 1000 };
}

function leasesIn(tenant: string, stored: ReadonlyMap<string, StoredKey>): Lease[] {
  const start = leaseKey(tenant, '');
  return [...stored]
    .filter(([key]) => key.startsWith(start))
    .map(([key, { value, revision }]) => ({ id: key.slice(start.length), token: revision, record: leaseOf(value) }));
}

/** @throws ServiceError leaseHeld, tooManyRequests */
function checkRoom(held: readonly Lease[], { things }: LeaseRequest): void {
  for (const { id, record } of held) {
    const shared = sharedWith(things, record.things);
    if (shared !== null) throw new ServiceError('leaseHeld', `${shared}, in the lease ${id}`);
  }
  const names = held.reduce((sum, { record }) => sum + record.things.length, things.length);
  if (held.length >= MAX_LEASES)
    throw new ServiceError('tooManyRequests', `the tenant has ${MAX_LEASES} leases; end one`);
  if (names > MAX_TENANT_NAMES)
    throw new ServiceError('tooManyRequests', `the leases of the tenant may have ${MAX_TENANT_NAMES} names together`);
}
