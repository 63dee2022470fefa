import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../config/config.js';
import { ServiceError } from '../errors/service-error.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { asNewAs, revisionOfPage } from '../store/as-new-as.js';
import { SHADOW_FEED, type ShadowFeed } from '../store/shadow-feed.js';
import { decodeCursor, encodeCursor } from '../watch/cursor.js';
import { WATCH_HUB, type WatchHub } from '../watch/subscription.js';

export interface WatchStart {
  /** The `id` of an event. The stream begins with the change after it. Overrides `initial`. */
  readonly cursor?: string;
  /** Send the present state first. */
  readonly initial?: boolean;
}

/** What a client may say of the start of a stream. */
export interface StartQuery {
  readonly cursor?: string | undefined;
  readonly initial: boolean;
  /** A stream that is as new as this revision. */
  readonly minRevision?: number;
}

/** Where change streams begin. */
@Injectable()
export class StreamStarts {
  constructor(
    @Inject(WATCH_HUB) private readonly hub: WatchHub,
    @Inject(SHADOW_FEED) private readonly feed: ShadowFeed,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'presence'>,
  ) {}

  /**
   * The start that a query asks for; a cursor counts before all else.
   * @param deadline milliseconds of the monotonic clock
   * @throws ServiceError revisionAhead, storageUnavailable
   */
  async startOf({ cursor, initial, minRevision }: StartQuery, deadline: number): Promise<WatchStart> {
    if (cursor !== undefined) return { cursor, initial };
    return minRevision === undefined ? { initial } : this.#startBehind(minRevision, initial, deadline);
  }

  /**
   * The start of a stream that is as new as a revision, though this node may lag behind: one that begins now begins at the
   * present end of the store's history, from a linearizable read. The present state always comes from such a read.
   */
  async #startBehind(minRevision: number, initial: boolean, deadline: number): Promise<WatchStart> {
    const { clock, feed } = this;
    const signal = AbortSignal.timeout(Math.max(1, Math.ceil(deadline - clock.monotonic())));
    try {
      const head = await asNewAs({ minRevision, deadline, clock }, () => feed.head(signal), revisionOfPage);
      return initial ? { initial } : { cursor: encodeCursor({ ...head, seen: null }) };
    } catch (error) {
      throw error instanceof ServiceError ? error : new ServiceError('storageUnavailable');
    }
  }

  /**
   * The revision of the store behind which a stream begins, or at which its present state is at least; null: the node does
   * not know it yet.
   * @throws ServiceError invalidRequest for a malformed cursor
   */
  revisionOf({ cursor }: WatchStart): number | null {
    if (cursor === undefined) return this.hub.position?.revision ?? null;
    const { revision, seen } = decodeCursor(cursor);
    return seen === null ? revision : revision - 1;
  }

  /** Of a stream with presence: where there is none it would be empty for ever. @throws ServiceError invalidRequest */
  checkPresence(): void {
    if (!this.config.presence.isOn)
      throw new ServiceError('invalidRequest', 'kind=presence: presence is switched off (UMBRA_PRESENCE)');
    if (!this.feed.hasPresence)
      throw new ServiceError(
        'invalidRequest',
        'kind=presence: the storage of this node brings no presence; leave it out',
      );
  }
}
