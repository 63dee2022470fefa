import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { asNewAs, revisionOfPage } from '../store/as-new-as.js';
import { SHADOW_STORE, type NamePage, type RequestOptions, type ShadowStore } from '../store/shadow-store.js';

export interface ListQuery {
  readonly tenant: string;
  readonly thing: string;
  /** 1 to 100. */
  readonly limit: number;
  readonly after?: string;
  /** The page shows everything up to this revision of the store. */
  readonly minRevision?: number | undefined;
}

/** Lists the named shadows of one thing. The classic shadow has no name and is never listed (PROTOCOL 4.2). */
@Injectable()
export class ListShadows {
  constructor(
    @Inject(SHADOW_STORE) private readonly store: ShadowStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** @throws ServiceError invalidRequest for a bad `after`; revisionAhead; what the store throws */
  list({ tenant, thing, limit, after, minRevision }: ListQuery, options: RequestOptions): Promise<NamePage> {
    const wait = { minRevision, deadline: options.deadline, clock: this.clock };
    return asNewAs(wait, () => this.store.listNames(tenant, thing, limit, after, options), revisionOfPage);
  }
}
