import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../config/config.js';
import type { PreviousMissing } from '../document/change-event.js';
import { equalJson } from '../document/json.js';
import { isTombstone, SECTIONS, type ShadowState } from '../document/shadow-document.js';
import { ServiceError } from '../errors/service-error.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { SHADOW_STORE, type ShadowRecord, type ShadowStore } from '../store/shadow-store.js';

/** Changes whose document before is kept for the next reader: live readers of one change ask one after the other. */
const MAX_KEPT = 16;

/** The state before a change, null if there was none; or why it is not known. */
export type Before = ShadowState | null | PreviousMissing;

/** Looks up what a change has replaced, for the streams that ask for it: one read of the store for all that ask at once. */
@Injectable()
export class DocumentsBefore {
  readonly #kept = new Map<ShadowRecord, Promise<Before>>();

  constructor(
    @Inject(SHADOW_STORE) private readonly store: ShadowStore,
    @Inject(CONFIG) private readonly config: Pick<Config, 'requestTimeoutMs'>,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** The state before the change of a record. It rejects only for an error of the node itself. */
  of(record: ShadowRecord): Promise<Before> {
    const known = this.#kept.get(record);
    if (known !== undefined) return known;
    const before = this.#read(record);
    this.#kept.set(record, before);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MAX_KEPT) break;
      this.#kept.delete(oldest);
    }
    return before;
  }

  async #read({ key, state, position }: ShadowRecord): Promise<Before> {
    // Versions have no gaps, so version 1 is a creation.
    if (state.version === 1 && !isTombstone(state)) return null;
    const deadline = this.clock.monotonic() + this.config.requestTimeoutMs;
    try {
      return (await this.store.getBefore(key, position, { deadline }))?.state ?? null;
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      return error.code === 'cursorGone' ? 'compacted' : 'unavailable';
    }
  }
}

/**
 * Whether a change has changed a value of desired or reported, or has created or deleted the shadow; also when it is not
 * known what was before. No errors.
 */
export function isRealChange(before: Before, after: ShadowState): boolean {
  if (before === null || typeof before === 'string' || isTombstone(before) || isTombstone(after)) return true;
  return SECTIONS.some((section) => !equalJson(before[section] ?? {}, after[section] ?? {}));
}
