import { Inject, Injectable } from '@nestjs/common';
import { computeDelta } from '../document/delta.js';
import { documentsMessage, type Snapshot } from '../document/messages.js';
import { isTombstone, type JsonObject, type StatePatch } from '../document/shadow-document.js';
import type { ShadowFilter } from '../store/shadow-feed.js';
import type { ShadowRecord } from '../store/shadow-store.js';
import { decodeCursor } from '../watch/cursor.js';
import { WATCH_HUB, type EndReason, type Subscription, type WatchHub } from '../watch/subscription.js';

export interface WatchStart {
  /** As the `id` of an event gave it; what came after it follows. Counts before `initial`. */
  readonly cursor?: string;
  /** The present state first. */
  readonly initial?: boolean;
}

/** One change as every stream tells it (docs/watch.md). */
export interface WatchEvent {
  readonly kind: 'updated' | 'deleted';
  readonly thing: string;
  /** null is the classic shadow. */
  readonly shadow: string | null;
  readonly version: number;
  readonly revision: number;
  /** ISO 8601, UTC. */
  readonly time: string;
  /** As the client sent it; null also for a delete. */
  readonly patch: StatePatch;
  /** What desired has and reported has not; null when nothing differs. */
  readonly delta: JsonObject | null;
  readonly document: Snapshot | null;
  readonly clientToken?: string;
  readonly principal: string;
}

/** Opens the change streams; doors only write what they get. */
@Injectable()
export class WatchShadows {
  constructor(@Inject(WATCH_HUB) private readonly hub: WatchHub) {}

  /** @throws ServiceError invalidRequest for a malformed cursor; tooManyRequests when there are too many readers */
  run(filter: ShadowFilter, start: WatchStart): Subscription {
    const from = start.cursor !== undefined ? decodeCursor(start.cursor) : start.initial ? 'initial' : 'now';
    return this.hub.subscribe({ filter, from });
  }
}

export function watchEvent({ key, state, change, position }: ShadowRecord): WatchEvent {
  const document = isTombstone(state) ? null : state;
  return {
    kind: document ? 'updated' : 'deleted',
    thing: key.thing,
    shadow: key.name,
    version: state.version,
    revision: position.revision,
    time: new Date(change.at).toISOString(),
    patch: change.patch ?? null,
    delta: document && (computeDelta(document)?.state ?? null),
    document: document && documentsMessage(null, document, change).current,
    ...(change.clientToken !== undefined && { clientToken: change.clientToken }),
    principal: change.principal,
  };
}

/** Why a stream ended, and what its reader does now. */
export const END_MESSAGES: Readonly<Record<EndReason, string>> = {
  closed: 'The stream was closed',
  'too-slow': 'The reader did not keep up; connect again with the id of the last event',
  compacted: 'The changes after the cursor are no longer kept; load the present state',
  'epoch-changed': 'The storage was restored from a backup; load the present state',
  draining: 'The node is shutting down; connect again with the id of the last event',
};
