import { Inject, Injectable } from '@nestjs/common';
import type { ShadowFilter } from '../store/shadow-feed.js';
import { decodeCursor } from '../watch/cursor.js';
import { WATCH_HUB, type EndReason, type Subscription, type WatchHub } from '../watch/subscription.js';

export interface WatchStart {
  /** The `id` of an event. The stream begins with the change after it. Overrides `initial`. */
  readonly cursor?: string;
  /** Send the present state first. */
  readonly initial?: boolean;
}

/** Opens the change streams; doors only write their events. */
@Injectable()
export class WatchShadows {
  constructor(@Inject(WATCH_HUB) private readonly hub: WatchHub) {}

  /** @throws ServiceError invalidRequest for a malformed cursor; tooManyRequests; draining */
  watch(filter: ShadowFilter, start: WatchStart): Subscription {
    const from = start.cursor !== undefined ? decodeCursor(start.cursor) : start.initial ? 'initial' : 'now';
    return this.hub.subscribe({ filter, from });
  }
}

/** Why a stream ended, and what its reader should do. */
export const END_MESSAGES: Readonly<Record<EndReason, string>> = {
  closed: 'The stream was closed',
  'too-slow': 'The reader did not keep up; connect again with the id of the last event',
  compacted: 'The changes after the cursor are no longer kept; load the present state',
  'epoch-changed': 'The storage was restored from a backup; load the present state',
  draining: 'The node is shutting down; connect again with the id of the last event',
  failed: 'The node could not continue the stream; connect again with the id of the last event',
};
