import { Inject, Injectable } from '@nestjs/common';
import { SHADOW_STORE, type NamePage, type RequestOptions, type ShadowStore } from '../store/shadow-store.js';

export interface ListQuery {
  readonly tenant: string;
  readonly thing: string;
  /** 1 to 100. */
  readonly limit: number;
  readonly after?: string;
}

/** Lists the named shadows of one thing. The classic shadow has no name and is never listed (PROTOCOL 4.2). */
@Injectable()
export class ListShadows {
  constructor(@Inject(SHADOW_STORE) private readonly store: ShadowStore) {}

  /** @throws ServiceError invalidRequest for a bad `after`; what the store throws */
  list({ tenant, thing, limit, after }: ListQuery, options: RequestOptions): Promise<NamePage> {
    return this.store.listNames(tenant, thing, limit, after, options);
  }
}
