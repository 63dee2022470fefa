import { Inject, Injectable } from '@nestjs/common';
import type { Principal } from '../access/principal.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { applyDelete } from '../document/apply-delete.js';
import type { ShadowState, Tombstone } from '../document/shadow-document.js';
import { ServiceError } from '../errors/service-error.js';
import { displayName } from '../document/shadow-name.js';
import {
  SHADOW_STORE,
  type Changed,
  type Precondition,
  type RequestOptions,
  type ShadowKey,
  type ShadowRecord,
  type ShadowStore,
} from '../store/shadow-store.js';

export interface DeletedRecord extends ShadowRecord {
  readonly state: Tombstone;
}

/** Deletes one shadow; a tombstone keeps its version for 48 h (PROTOCOL 2.5). */
@Injectable()
export class DeleteShadow {
  constructor(
    @Inject(SHADOW_STORE) private readonly store: ShadowStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** @throws ServiceError notFound; what `precondition` and the store throw */
  async run(
    key: ShadowKey,
    clientToken: string | undefined,
    who: Principal,
    options: RequestOptions,
    precondition?: Precondition,
  ): Promise<DeletedRecord> {
    const at = this.clock.now();
    const name = displayName(key.thing, key.name);
    const token = clientToken === undefined ? {} : { clientToken };
    const change = (current: ShadowState | null): Changed => {
      precondition?.(current);
      return {
        state: applyDelete(current, { now: at, displayName: name }),
        change: { kind: 'delete', ...token, principal: who.id, at },
      };
    };
    try {
      return (await this.store.update(key, change, options)) as DeletedRecord;
    } catch (error) {
      throw error instanceof ServiceError ? error.withToken(clientToken) : error;
    }
  }
}
