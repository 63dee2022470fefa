import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { ServiceError } from '../errors/service-error.js';
import { RuntimeSettings } from '../runtime/runtime-settings.js';

/** Bulk requests at once on a node: each may hold 1 MiB of lines. */
const MAX_REQUESTS = 32;
/** Requests beyond which only tenants that have none get a place: few tenants cannot keep all others out. */
const SHARED_REQUESTS = 16;
/** Of the shared ones, those of one tenant. */
const MAX_OF_TENANT = 4;
/**
 * Lines of one tenant that are under way at once, of all its bulk requests on a node. They fill a group commit, and
 * another change of the tenant waits for no more than those before it.
 */
const LINES_OF_TENANT = 64;
/**
 * The same of requests with a key, whose lines are transactions: a quarter of those that a node carries out at once for a
 * tenant.
 */
const KEYED_LINES_OF_TENANT = 16;

/** What a drain ends. */
interface Draining {
  stop(reason: 'draining'): void;
}

/** The bulk requests of this node. */
@Injectable()
export class BulkRequests implements OnModuleDestroy {
  readonly #ofTenants = new Map<string, number>();
  readonly #runs = new Set<Draining>();
  #count = 0;
  #isDraining = false;

  constructor(@Inject(RuntimeSettings) private readonly settings: Pick<RuntimeSettings, 'isOn'>) {}

  /** A place for one more; to be left once. @throws ServiceError tooManyRequests, switchedOff, draining */
  enter(tenant: string): void {
    const own = this.#ofTenants.get(tenant) ?? 0;
    if (this.#isDraining) throw new ServiceError('draining');
    if (!this.settings.isOn('bulk')) throw new ServiceError('switchedOff', 'bulk requests');
    const most = this.#mostFor(own);
    if (most !== null) throw new ServiceError('tooManyRequests', `${most} are under way on this node already`);
    this.#count++;
    this.#ofTenants.set(tenant, own + 1);
  }

  /** No errors. */
  leave(tenant: string): void {
    this.#count--;
    const own = this.#ofTenants.get(tenant)! - 1;
    if (own > 0) this.#ofTenants.set(tenant, own);
    else this.#ofTenants.delete(tenant);
  }

  /** Lines that one bulk request of the tenant may have under way: they share what the tenant has. No errors. */
  linesOf(tenant: string, isKeyed: boolean): number {
    const all = isKeyed ? KEYED_LINES_OF_TENANT : LINES_OF_TENANT;
    return Math.floor(all / (this.#ofTenants.get(tenant) ?? 1));
  }

  /** What keeps a tenant with `own` requests from another one; null: nothing. */
  #mostFor(own: number): string | null {
    if (own >= MAX_OF_TENANT) return `${MAX_OF_TENANT} bulk requests of this tenant`;
    if (this.#count >= MAX_REQUESTS) return `${MAX_REQUESTS} bulk requests`;
    if (this.#count < SHARED_REQUESTS || own === 0) return null;
    return `${SHARED_REQUESTS} or more bulk requests, ${own} of them of this tenant,`;
  }

  /** Stops `run` when the node drains, until the returned function is called. No errors. */
  endWithNode(run: Draining): () => void {
    this.#runs.add(run);
    if (this.#isDraining) run.stop('draining');
    return () => void this.#runs.delete(run);
  }

  /** The doors begin to close, and wait for streams. */
  onModuleDestroy(): void {
    this.#isDraining = true;
    for (const run of this.#runs) run.stop('draining');
  }
}
