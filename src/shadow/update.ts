import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { CONFIG, type Config } from '../config/config.js';
import { applyUpdate } from '../document/apply-update.js';
import type { UpdateRequest } from '../document/parse-request.js';
import type { ShadowState } from '../document/shadow-document.js';
import { patchTextFor, StoredUpdate } from '../document/stored-document.js';
import { SHADOW_STORE, type Changed, type ShadowStore } from '../store/shadow-store.js';
import type { LiveRecord } from './get.js';
import type { ShadowCall } from './shadow-call.js';

/** Merges a patch into one shadow. The answers to subscribers come from the feed, never from here. */
@Injectable()
export class UpdateShadow {
  constructor(
    @Inject(SHADOW_STORE) private readonly store: ShadowStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** @throws ServiceError versionConflict, tooLarge, tooDeep; what the precondition and the store throw */
  async update(call: ShadowCall, request: UpdateRequest): Promise<LiveRecord> {
    // One clock reading for the whole update: accepted, delta, documents and the kept leaves agree (PROTOCOL 2.3).
    const at = this.clock.now();
    const context = { now: at, limits: this.config.limits };
    const change = (current: ShadowState | null): Changed => {
      call.precondition?.(current);
      const state = applyUpdate(current, request, context);
      const text = patchTextFor(request.state, state);
      return { state, change: new StoredUpdate(request.state, request.clientToken, call.principal.id, at, text) };
    };
    return (await this.store.update(call.key, change, call)) as LiveRecord;
  }
}
