import { Inject, Injectable } from '@nestjs/common';
import type { Principal } from '../access/principal.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { CONFIG, type Config } from '../config/config.js';
import { applyUpdate } from '../document/apply-update.js';
import type { UpdateRequest } from '../document/parse-request.js';
import type { ShadowState } from '../document/shadow-document.js';
import { ServiceError } from '../errors/service-error.js';
import {
  SHADOW_STORE,
  type Changed,
  type Precondition,
  type RequestOptions,
  type ShadowKey,
  type ShadowStore,
} from '../store/shadow-store.js';
import type { LiveRecord } from './get.js';

/** Merges a patch into one shadow. The answers to subscribers come from the feed, never from here. */
@Injectable()
export class UpdateShadow {
  constructor(
    @Inject(SHADOW_STORE) private readonly store: ShadowStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** @throws ServiceError versionConflict, tooLarge, tooDeep; what `precondition` and the store throw */
  async run(
    key: ShadowKey,
    request: UpdateRequest,
    who: Principal,
    options: RequestOptions,
    precondition?: Precondition,
  ): Promise<LiveRecord> {
    // One clock reading for the whole update: accepted, delta, documents and the kept leaves agree (PROTOCOL 2.3).
    const at = this.clock.now();
    const context = { now: at, limits: this.config.limits };
    const change = (current: ShadowState | null): Changed => {
      precondition?.(current);
      const token = request.clientToken === undefined ? {} : { clientToken: request.clientToken };
      return {
        state: applyUpdate(current, request, context),
        change: { kind: 'update', patch: request.state, ...token, principal: who.id, at },
      };
    };
    try {
      return (await this.store.update(key, change, options)) as LiveRecord;
    } catch (error) {
      throw error instanceof ServiceError ? error.withToken(request.clientToken) : error;
    }
  }
}
