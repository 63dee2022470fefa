import { Inject, Injectable } from '@nestjs/common';
import { ServiceError } from '../errors/service-error.js';
import type { LiveRecord } from '../shadow/get.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { asNewAs, revisionOfPage } from '../store/as-new-as.js';
import { SHADOW_STORE, type NamePage, type RequestOptions, type ShadowStore } from '../store/shadow-store.js';
import { readShadows } from './read-shadows.js';

export interface ThingQuery {
  readonly tenant: string;
  readonly thing: string;
  /** Named shadows of one page, 1 to 100. */
  readonly limit: number;
  readonly after?: string;
  /** The page shows everything up to this revision of the store. */
  readonly minRevision?: number | undefined;
}

export interface ShadowPage {
  /** The first page begins with the classic shadow, which does not count towards `limit`. */
  readonly records: readonly LiveRecord[];
  /** Opaque; absent on the last page. */
  readonly next?: string;
  /** Revision of the store that the page is at least as new as. */
  readonly revision: number;
}

/** Reads a thing with all its shadows, page by page. */
@Injectable()
export class GetThing {
  constructor(
    @Inject(SHADOW_STORE) private readonly store: ShadowStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * @throws ServiceError notFound for a thing without a shadow; invalidRequest for a bad `after`; revisionAhead; what the store throws
   */
  async get({ tenant, thing, limit, after, minRevision }: ThingQuery, options: RequestOptions): Promise<ShadowPage> {
    const wait = { minRevision, deadline: options.deadline, clock: this.clock };
    const list = (): Promise<NamePage> => this.store.listNames(tenant, thing, limit, after, options);
    const { names, next, revision } = await asNewAs(wait, list, revisionOfPage);
    const all = after === undefined ? [null, ...names] : names;
    const records = await readShadows(
      this.store,
      all.map((name) => ({ tenant, thing, name })),
      options,
    );
    if (records.length === 0 && after === undefined && next === undefined) throw new ServiceError('notFound', thing);
    return next === undefined ? { records, revision } : { records, revision, next };
  }
}
