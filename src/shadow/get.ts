import { Inject, Injectable } from '@nestjs/common';
import { isTombstone, type ShadowDocument } from '../document/shadow-document.js';
import { ServiceError } from '../errors/service-error.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { displayName } from '../document/shadow-name.js';
import {
  SHADOW_STORE,
  type Reading,
  type ShadowKey,
  type ShadowRecord,
  type ShadowStore,
} from '../store/shadow-store.js';
import { findVersion, type VersionWanted } from './find-version.js';
import type { ShadowCall } from './shadow-call.js';

/** A record whose shadow exists. */
export interface LiveRecord extends ShadowRecord {
  readonly state: ShadowDocument;
}

/** What a read needs of a call. */
type Asked = Pick<ShadowCall, 'key' | 'deadline' | 'trace'>;

/** Reads one shadow, linearizably. */
@Injectable()
export class GetShadow {
  constructor(
    @Inject(SHADOW_STORE) private readonly store: ShadowStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * The shadow as it is or was, deleted or not, with the position that it was found at.
   * @throws as findVersion
   */
  find({ key, deadline, trace }: Asked, wanted: VersionWanted): Promise<Reading> {
    return findVersion(this.store, key, wanted, { deadline, trace }, this.clock);
  }

  /**
   * A version of the shadow; `readAt` of the record is the revision that it was found at.
   * @throws ServiceError notFound when it did not exist then; as findVersion
   */
  async getVersion(call: Asked, wanted: VersionWanted): Promise<LiveRecord> {
    const { record, position } = await this.find(call, wanted);
    if (record === null || isTombstone(record.state)) throw noShadow(call.key);
    return { ...(record as LiveRecord), readAt: position.revision };
  }

  /** @throws ServiceError notFound; what the store throws */
  async get(call: Asked): Promise<LiveRecord> {
    const { key } = call;
    const record = await this.store.get(key, call);
    if (record === null || isTombstone(record.state)) throw noShadow(key);
    return record as LiveRecord;
  }
}

function noShadow({ thing, name }: ShadowKey): ServiceError {
  return new ServiceError('notFound', displayName(thing, name));
}
