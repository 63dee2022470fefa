import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { applyDelete } from '../document/apply-delete.js';
import type { ShadowState, Tombstone } from '../document/shadow-document.js';
import { displayName } from '../document/shadow-name.js';
import { SHADOW_STORE, type Change, type Changed, type ShadowRecord, type ShadowStore } from '../store/shadow-store.js';
import type { ShadowCall } from './shadow-call.js';

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

  /** @throws ServiceError notFound; what the precondition and the store throw */
  async delete(call: ShadowCall, clientToken: string | undefined): Promise<DeletedRecord> {
    return (await this.store.update(call.key, this.changeOf(call, clientToken), call)) as DeletedRecord;
  }

  /** The same delete as a change, for a transaction. */
  changeOf({ key, principal, precondition, trace }: ShadowCall, clientToken: string | undefined): Change {
    const at = this.clock.now();
    const name = displayName(key.thing, key.name);
    const headers = trace?.headers;
    const more = { ...(clientToken !== undefined && { clientToken }), ...(headers && { trace: headers }) };
    return (current: ShadowState | null): Changed => {
      precondition?.(current);
      return {
        state: applyDelete(current, { now: at, displayName: name }),
        change: { kind: 'delete', ...more, principal: principal.id, at },
      };
    };
  }
}
