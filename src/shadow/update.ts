import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { CONFIG, type Config } from '../config/config.js';
import { applyUpdate, type UpdateContext } from '../document/apply-update.js';
import { JsonPatch } from '../document/json-patch.js';
import type { Limits } from '../document/limits.js';
import type { UpdateRequest } from '../document/parse-request.js';
import type { ShadowState } from '../document/shadow-document.js';
import { patchTextFor, StoredUpdate } from '../document/stored-document.js';
import { ServiceError } from '../errors/service-error.js';
import type { Operation } from '../store/operation.js';
import {
  SHADOW_STORE,
  type Change,
  type Changed,
  type Fence,
  type ShadowKey,
  type ShadowRecord,
  type ShadowStore,
} from '../store/shadow-store.js';
import type { RequestTrace } from '../telemetry/request-trace.js';
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

  /** @throws ServiceError versionConflict, tooLarge, tooDeep; as JsonPatch.updateOf; what the precondition and the store throw */
  update(call: ShadowCall, request: UpdateRequest | JsonPatch): Promise<LiveRecord> {
    return new Promise((committed, failed) => this.begin(call, request, { committed, failed }));
  }

  /** The same update as a change, for a transaction. */
  changeOf(call: ShadowCall, request: UpdateRequest | JsonPatch): Change {
    const operation = new UpdateOperation(call, request, NOBODY, this.clock.now(), this.config.limits);
    return (current) => operation.change(current);
  }

  /** As `update`; settles `outcome` once, perhaps before it returns. No errors. */
  begin(call: ShadowCall, request: UpdateRequest | JsonPatch, outcome: UpdateOutcome): void {
    // One clock reading for the whole update: accepted, delta, documents and the kept leaves agree (PROTOCOL 2.3).
    this.store.submit(new UpdateOperation(call, request, outcome, this.clock.now(), this.config.limits));
  }
}

/** How an update ends: exactly one of the two is called, once. */
export interface UpdateOutcome {
  committed(record: LiveRecord): void;
  /** @param error as UpdateShadow.update throws it */
  failed(error: unknown): void;
}

/** Of an update whose end is that of its transaction. */
const NOBODY: UpdateOutcome = { committed: () => undefined, failed: () => undefined };

/** An update on its way, and the context that it is computed in. */
class UpdateOperation implements Operation, UpdateContext {
  constructor(
    private readonly call: ShadowCall,
    private readonly request: UpdateRequest | JsonPatch,
    private readonly outcome: UpdateOutcome,
    /** Epoch milliseconds. */
    readonly now: number,
    readonly limits: Limits,
  ) {}

  get key(): ShadowKey {
    return this.call.key;
  }

  get deadline(): number {
    return this.call.deadline;
  }

  get signal(): AbortSignal | undefined {
    return this.call.signal;
  }

  get fence(): Fence | undefined {
    return this.call.fence;
  }

  get trace(): RequestTrace | null | undefined {
    return this.call.trace;
  }

  change(current: ShadowState | null): Changed {
    const { call } = this;
    call.precondition?.(current);
    const request = this.request instanceof JsonPatch ? this.request.updateOf(current, this.limits) : this.request;
    const state = applyUpdate(current, request, this);
    const text = patchTextFor(request.state, state);
    const change = new StoredUpdate(
      request.state,
      request.clientToken,
      call.principal.id,
      this.now,
      text,
      call.trace?.headers,
    );
    return { state, change };
  }

  committed(record: ShadowRecord): void {
    this.outcome.committed(record as LiveRecord);
  }

  failed(error: unknown): void {
    // The request has been parsed by now, and its payload is gone.
    this.outcome.failed(error instanceof ServiceError ? error.withToken(this.request.clientToken) : error);
  }
}
