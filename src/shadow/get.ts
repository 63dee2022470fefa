import { Inject, Injectable } from '@nestjs/common';
import { isTombstone, type ShadowDocument } from '../document/shadow-document.js';
import { ServiceError } from '../errors/service-error.js';
import { displayName } from '../document/shadow-name.js';
import { SHADOW_STORE, type Reading, type ShadowRecord, type ShadowStore } from '../store/shadow-store.js';
import type { ShadowCall } from './shadow-call.js';

/** A record whose shadow exists. */
export interface LiveRecord extends ShadowRecord {
  readonly state: ShadowDocument;
}

/** Reads one shadow, linearizably. */
@Injectable()
export class GetShadow {
  constructor(@Inject(SHADOW_STORE) private readonly store: ShadowStore) {}

  /** The shadow, deleted or not, with the position that was read. @throws ServiceError what the store throws */
  read({ key, deadline }: Pick<ShadowCall, 'key' | 'deadline'>): Promise<Reading> {
    return this.store.read(key, { deadline });
  }

  /** @throws ServiceError notFound; what the store throws */
  async get(call: Pick<ShadowCall, 'key' | 'deadline'>): Promise<LiveRecord> {
    const { key } = call;
    const record = await this.store.get(key, call);
    if (record === null || isTombstone(record.state))
      throw new ServiceError('notFound', displayName(key.thing, key.name));
    return record as LiveRecord;
  }
}
