import { Inject, Injectable } from '@nestjs/common';
import { AUTHORIZER, type Authorizer } from '../access/authorizer.js';
import type { Principal } from '../access/principal.js';
import type { ShadowFilter } from '../store/shadow-feed.js';
import { PresenceUpdate } from '../store/presence-update.js';
import type { ShadowKey, ShadowRecord } from '../store/shadow-store.js';
import { LOGGER, type Logger } from '../telemetry/logger.js';
import { decodeCursor } from '../watch/cursor.js';
import {
  WATCH_HUB,
  type EndReason,
  type ShadowEvent,
  type Subscription,
  type Visit,
  type WatchHub,
} from '../watch/subscription.js';
import type { ContentFilter } from '../watch/watch-filter.js';
import { DocumentsBefore, isRealChange, type Before } from './documents-before.js';
import { StreamStarts, type WatchStart } from './stream-starts.js';

/** What a stream brings. */
export interface Watched {
  readonly filter: ShadowFilter;
  /** Which of these changes, by what is in them; null: all. */
  readonly content: ContentFilter | null;
  /** Leave out changes that have changed no value (isRealChange). */
  readonly real?: boolean;
  /** Bring the document before each change too. */
  readonly previous?: boolean;
}

/** Who reads a stream, and from where. */
export interface Watcher {
  readonly principal: Principal;
  /** IP address. */
  readonly address: string;
}

/** Milliseconds after which an expired credential ends its stream, at most: nothing else changes when it expires. */
const EXPIRY_MS = 5_000;

/** Opens the change streams; doors only write their events. */
@Injectable()
export class WatchShadows {
  constructor(
    @Inject(WATCH_HUB) private readonly hub: WatchHub,
    @Inject(AUTHORIZER) private readonly authorizer: Authorizer,
    private readonly documents: DocumentsBefore,
    readonly starts: StreamStarts,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Brings the changes that policies let the watcher see, each by what they say at that time.
   * @throws ServiceError invalidRequest for a malformed cursor, or for presence where there is none;
   * tooManyRequests; draining
   */
  watch(watcher: Watcher, watched: Watched, start: WatchStart): PermittedWatch {
    if (watched.filter.presence !== undefined) this.starts.checkPresence();
    const from = start.cursor !== undefined ? decodeCursor(start.cursor) : start.initial ? 'initial' : 'now';
    const subscription = this.hub.subscribe({ filter: watched.filter, from });
    return new PermittedWatch(subscription, watcher, watched, this.authorizer, this.documents);
  }

  /** Tells of a stream that an error of the node has ended: nobody waits for its end. @param requestId that began it */
  failed(error: unknown, requestId: string): void {
    this.logger.error({ err: error, requestId }, 'a stream of changes failed');
  }
}

/** What a reader gets beside an event. */
export interface EventDetail {
  /** What was before the change; absent: the reader has not asked for it. */
  readonly previous?: Before;
}

const PLAIN: EventDetail = {};

/** `forbidden`: policies no longer let its principal watch anything, or it may no longer act. */
export type WatchEnd = EndReason | 'forbidden';

/** A subscription within what policies allow and its reader wants. */
export class PermittedWatch {
  /** Resolves once, with the reason. */
  readonly ended: Promise<WatchEnd>;
  #isForbidden = false;
  readonly #off: () => void;

  constructor(
    private readonly subscription: Subscription,
    private readonly watcher: Watcher,
    private readonly watched: Omit<Watched, 'filter'>,
    private readonly authorizer: Authorizer,
    private readonly documents: DocumentsBefore,
  ) {
    const review = (): void => this.#review();
    const isEnding = watcher.principal.expiresAt !== undefined;
    const timer = isEnding ? setInterval(review, EXPIRY_MS).unref() : undefined;
    const off = authorizer.onChange(review);
    this.#off = () => {
      clearInterval(timer);
      off();
    };
    this.ended = subscription.ended.then((reason) => {
      this.#off();
      return this.#isForbidden ? 'forbidden' : reason;
    });
  }

  /** All of them, whether it shows them or not. */
  events(): AsyncIterator<ShadowEvent> {
    return this.subscription[Symbol.asyncIterator]();
  }

  /** All of them, as `Subscription.each` hands them over. */
  each(visit: Visit): Promise<boolean> {
    return this.subscription.each(visit);
  }

  /** Whether policies let the watcher see this event now, and it wants it. No errors. */
  shows(event: ShadowEvent): boolean {
    if (event.kind !== 'change' && event.kind !== 'initial') return true;
    if (event.record instanceof PresenceUpdate) return this.#allowsPresence(event.record.key.thing);
    const { content } = this.watched;
    return this.#allows(event.record.key) && (content === null || content(event.record, event.kind));
  }

  /**
   * To be asked for each event that it shows: what the reader gets of it beside the event. Null: nothing, the change is
   * none to it. A promise only for readers that want to know what was before. It rejects only for an error of the node.
   */
  detail(event: ShadowEvent): EventDetail | null | Promise<EventDetail | null> {
    const { real = false, previous = false } = this.watched;
    if (event.kind !== 'change' || (!real && !previous) || event.record instanceof PresenceUpdate) return PLAIN;
    return this.#detail(event.record, real, previous);
  }

  async #detail(record: ShadowRecord, real: boolean, previous: boolean): Promise<EventDetail | null> {
    const before = await this.documents.of(record);
    if (real && !isRealChange(before, record.state)) return null;
    return previous ? { previous: before } : PLAIN;
  }

  close(): void {
    this.#off();
    this.subscription.close();
  }

  #allows({ thing, name }: ShadowKey): boolean {
    if (!this.authorizer.isRequired) return true;
    const { principal, address } = this.watcher;
    const resource = name === null ? `thing/${thing}` : `thing/${thing}/${name}`;
    return this.authorizer.allows(principal, 'umbra:Watch', resource, { address });
  }

  /** The client of a thing has its name. */
  #allowsPresence(thing: string): boolean {
    if (!this.authorizer.isRequired) return true;
    const { principal, address } = this.watcher;
    return this.authorizer.allows(principal, 'umbra:GetPresence', `client/${thing}`, { address });
  }

  #review(): void {
    const { authorizer } = this;
    const { principal } = this.watcher;
    if (authorizer.isActive(principal) && authorizer.mayEver(principal, 'umbra:Watch')) return;
    this.#isForbidden = true;
    this.close();
  }
}

/** Why a stream ended, and what its reader should do. */
export const END_MESSAGES: Readonly<Record<WatchEnd, string>> = {
  closed: 'The stream was closed',
  'too-slow': 'The reader did not keep up; connect again with the id of the last event',
  compacted: 'The changes after the cursor are no longer kept; load the present state',
  'epoch-changed': 'The storage was restored from a backup; load the present state',
  forbidden: 'Policies no longer allow this stream',
  draining: 'The node is shutting down; connect again with the id of the last event',
  failed: 'The node could not continue the stream; connect again with the id of the last event',
};

/** The data of the last event of a stream. @param reload address of the same stream with the present state first */
export const endText = (reason: string, message: string, reload: string): string =>
  JSON.stringify({ reason, message, reload });
