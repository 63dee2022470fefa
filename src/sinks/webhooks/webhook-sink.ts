import { setMaxListeners } from 'node:events';
import { pauseAfter, type BackOffRange } from '../../resilience/back-off.js';
import { Signal } from '../../resilience/signal.js';
import type { ShadowRecord } from '../../store/shadow-store.js';
import type { Health } from '../../telemetry/health.js';
import type { Logger } from '../../telemetry/logger.js';
import { reasonOf } from '../../telemetry/reason.js';
import { eventHead } from '../../watch/event-text.js';
import { shadowId } from '../event-id.js';
import { InOrder } from '../in-order.js';
import type { OpenSink } from '../sink-kind.js';
import { attempt, type Endpoint } from './attempt.js';
import type { DeadLetterBox } from './dead-letter.js';
import { webhookMessage, type WebhookMessage } from './message.js';

/** Requests to one endpoint at once. */
export const MAX_REQUESTS = 8;
/** Milliseconds between the attempts for one message, before jitter: from none up to the whole of it. */
export const RETRY: BackOffRange = { first: 1_000, longest: 300_000 };

/**
 * Milliseconds after the first attempt when a message becomes a dead letter that the endpoint refuses although it takes
 * others: it would hold up its shadow, and the cursor of all.
 */
export const REFUSED_MS = 600_000;

export interface WebhookSinkOptions {
  readonly endpoint: Endpoint;
  readonly deadLetters: DeadLetterBox;
  /** The receiver wants nothing more. It must not wait. */
  readonly onGone: (reason: string) => void;
  /** Of SinkParts. */
  readonly isOwner: () => boolean;
  /** Milliseconds after the first attempt when a message becomes a dead letter. */
  readonly giveUpMs: number;
  readonly logger: Logger;
  /** Shortened by tests. */
  readonly retry?: BackOffRange;
  /** 0 to 1; tests fix it. */
  readonly random?: () => number;
}

/** Why an endpoint is not called any more. */
const GONE = 'the endpoint answered 410 Gone: its owner wants no more webhooks';

/** Milliseconds until it is said again, while nothing has become of it. */
const TELL_MS = 30_000;
const UNTRIED = { tries: 0, reason: 'it was not tried', isRefused: false };

/** How sending a message ended; `dropped`: it is neither sent nor given up, and comes again from the cursor. */
type Outcome = 'safe' | 'dropped';

/** A message under way. */
interface Open {
  readonly record: ShadowRecord;
  readonly message: WebhookMessage;
  readonly signal: AbortSignal;
  /** Milliseconds of the monotonic clock. */
  readonly since: number;
  /** Requests that were made. */
  tries: number;
  /** Why it was not delivered yet. */
  reason: string;
  /** Whether the last answer was about this message, and not about the endpoint as a whole. */
  isRefused: boolean;
}

/**
 * Sends each change to one endpoint until it answers with success, or for `giveUpMs`; then it becomes a dead letter and the
 * next change of its shadow follows. Of one shadow one message is under way at a time; the others wait for none but
 * their own. Whoever holds the sink bounds how many.
 */
export class WebhookSink implements OpenSink {
  readonly #order = new InOrder();
  readonly #changed = new Signal();
  readonly #closed = forMany(new AbortController());
  /** Ends of the messages of each reading of the feed. */
  readonly #ends = new WeakMap<AbortSignal, AbortSignal>();
  #requests = 0;
  /** Milliseconds of the monotonic clock: the endpoint has asked for quiet until then. */
  #quietUntil = -Infinity;
  /** Milliseconds of the monotonic clock. */
  #takenAt = -Infinity;
  #lastError: string | null = null;
  #gone = false;
  #telling: NodeJS.Timeout | undefined;

  constructor(private readonly options: WebhookSinkOptions) {}

  get health(): Health {
    const reason = this.#lastError;
    return reason === null ? { ok: true, reason: 'the endpoint takes what it is sent' } : { ok: false, reason };
  }

  deliver(record: ShadowRecord, reading: AbortSignal): Promise<void> {
    return this.#inOrder(record, this.#endOf(reading));
  }

  /** The present state is the last change once more, under its own id. */
  converge(record: ShadowRecord, reading: AbortSignal): Promise<void> {
    return this.deliver(record, reading);
  }

  /** Makes no new attempt; requests under way are cut off. */
  close(): Promise<void> {
    clearInterval(this.#telling);
    this.#closed.abort();
    return Promise.resolve();
  }

  async #inOrder(record: ShadowRecord, end: AbortSignal): Promise<void> {
    let outcome: Outcome = 'dropped';
    await this.#order.run(shadowId(record), async () => {
      outcome = await this.#send(record, end);
    });
    // The cursor must not pass what is not safe: it stays open until its reading of the feed is forgotten.
    if (outcome === 'dropped') await new Promise(() => undefined);
  }

  /** Ends with a reading, or with the sink. Not AbortSignal.any(): Node 20 may lose its signals at a collection of garbage. */
  #endOf(reading: AbortSignal): AbortSignal {
    const known = this.#ends.get(reading);
    if (known) return known;
    const end = forMany(new AbortController());
    const sources = [reading, this.#closed.signal];
    const stop = (): void => {
      end.abort();
      for (const source of sources) source.removeEventListener('abort', stop);
    };
    for (const source of sources) source.addEventListener('abort', stop);
    if (sources.some(({ aborted }) => aborted)) stop();
    this.#ends.set(reading, end.signal);
    return end.signal;
  }

  async #send(record: ShadowRecord, signal: AbortSignal): Promise<Outcome> {
    const since = this.options.endpoint.clock.monotonic();
    const message = webhookMessage(record);
    const open: Open = { record, message, signal, since, ...UNTRIED };
    while (!signal.aborted) {
      if (this.#gone) await this.#changed.next({ signal });
      else if (await this.#attempt(open)) return 'safe';
    }
    return 'dropped';
  }

  /** One attempt and, when it fails, the pause after it. True: nothing is left to do for the message. */
  async #attempt(open: Open): Promise<boolean> {
    const waitMs = await this.#post(open);
    if (waitMs === null) return true;
    // A request may outlive the lease, and its message is then the new owner's: it is not for this node to give it up.
    this.options.isOwner();
    if (this.#gone || open.signal.aborted) return false;
    const { endpoint, giveUpMs, retry = RETRY, random = Math.random } = this.options;
    // Full jitter: from no pause up to the whole of it.
    const jittered = pauseAfter(Math.max(0, open.tries - 1), retry, () => random() - 0.5);
    const pauseMs = Math.max(waitMs, jittered);
    const isAlone = open.isRefused && this.#takenAt > open.since;
    const leftMs = open.since + (isAlone ? Math.min(giveUpMs, REFUSED_MS) : giveUpMs) - endpoint.clock.monotonic();
    if (leftMs <= 0 && (await this.#bury(open))) return true;
    // A full box, or a storage that is away, is no reason to be quicker.
    const limitMs = leftMs > 0 ? Math.min(pauseMs, leftMs) : Math.max(pauseMs, retry.first);
    await new Signal().next({ limitMs, signal: open.signal });
    return false;
  }

  /** Milliseconds to wait at least before the next attempt; null: the message is delivered. */
  async #post(open: Open): Promise<number | null> {
    const { endpoint } = this.options;
    while (this.#requests >= MAX_REQUESTS && !open.signal.aborted) await this.#changed.next({ signal: open.signal });
    this.options.isOwner();
    if (open.signal.aborted || this.#gone) return 0;
    const quietMs = this.#quietUntil - endpoint.clock.monotonic();
    if (quietMs > 0) return quietMs;
    this.#requests++;
    const { verdict, isAsked } = await attempt(endpoint, open.message);
    this.#requests--;
    this.#changed.notify();
    if (isAsked) open.tries++;
    const now = endpoint.clock.monotonic();
    if (verdict.kind === 'delivered') {
      this.#takenAt = now;
      this.#lastError = null;
      return null;
    }
    if (verdict.kind === 'gone') return this.#end();
    if (isAsked) this.#quietUntil = Math.max(this.#quietUntil, now + verdict.waitMs);
    open.isRefused = !verdict.isDown;
    this.#lastError = open.reason = verdict.reason;
    return verdict.waitMs;
  }

  /** Says again and again that the endpoint is gone: it may not be possible to store it now. */
  #end(): number {
    if (this.#gone) return 0;
    this.#gone = true;
    this.#lastError = GONE;
    const { onGone } = this.options;
    onGone(GONE);
    this.#telling = setInterval(() => onGone(GONE), TELL_MS).unref();
    return 0;
  }

  /** True: the message is a dead letter now. */
  async #bury({ record, message, tries, reason }: Open): Promise<boolean> {
    const { deadLetters, endpoint, logger } = this.options;
    const { key, position } = record;
    const { version } = eventHead(record);
    const where = { thing: key.thing, shadow: key.name, version, revision: position.revision };
    const letter = { id: message.id, ...where, at: endpoint.clock.now(), tries, reason, body: message.body };
    try {
      if (await deadLetters.add(letter)) {
        logger.warn({ ...where, tries, reason }, 'a webhook was given up, and is a dead letter');
        return true;
      }
      this.#lastError = `the dead letters are full, and the endpoint still fails: ${reason}`;
    } catch (error) {
      this.#lastError = `a dead letter cannot be stored: ${reasonOf(error)}`;
    }
    return false;
  }
}

/** Every message that waits listens to its signal. */
function forMany(controller: AbortController): AbortController {
  setMaxListeners(0, controller.signal);
  return controller;
}
