import { Inject, Injectable } from '@nestjs/common';
import { SHADOW_STORE, type RequestOptions, type ShadowStore, type ThingPage } from '../store/shadow-store.js';

export interface ListThingsQuery {
  readonly tenant: string;
  /** 1 to 100. */
  readonly limit: number;
  readonly after?: string;
}

/** Lists the things that have a shadow: there is no other registry of things (PROTOCOL 1.1). */
@Injectable()
export class ListThings {
  constructor(@Inject(SHADOW_STORE) private readonly store: ShadowStore) {}

  /** @throws ServiceError invalidRequest for a bad `after`; what the store throws */
  list({ tenant, limit, after }: ListThingsQuery, options: RequestOptions): Promise<ThingPage> {
    return this.store.listThings(tenant, limit, after, options);
  }
}
