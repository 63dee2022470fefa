import { pauseAfter, type BackOff } from '../back-off.js';
import type { Caller } from '../call/caller.js';
import { objectOf } from '../json.js';
import { clientError, UmbraError, type ClientCode } from '../umbra-error.js';
import { linked, pause } from '../within.js';
import type { ChangeData } from './change.js';
import { eventsOf } from './event-reader.js';
import type { Source } from './filter.js';

export interface StreamOptions {
  /** Resumes behind it; it counts before `initial`. */
  readonly cursor?: string | undefined;
  /** The present state first, and again whenever the stream cannot resume. */
  readonly initial?: boolean | undefined;
  /** Begins behind this revision, such as that of your own write. */
  readonly minRevision?: number | undefined;
  /** Bring the document before each change too. */
  readonly previous?: boolean | undefined;
  /** Milliseconds without a sign of life, 30,000 by default. Nodes give one each `UMBRA_WATCH_BOOKMARK_MS`, 5,000. */
  readonly heartbeatMs?: number | undefined;
  /** Milliseconds without a connection after which the stream ends as `unreachable`; 600,000 by default. */
  readonly outageMs?: number | undefined;
  /** Pauses before it connects again. The first is by default what the service asks for, 1 to 3 s. */
  readonly reconnect?: Partial<BackOff> | undefined;
}

/** Why a stream begins anew with the present state. */
export type ReloadReason = 'compacted' | 'epoch-changed' | 'cursor-gone';

export type StreamEvent =
  | { readonly type: 'change'; readonly data: ChangeData; readonly id: string }
  | { readonly type: 'initial'; readonly data: ChangeData }
  /** All up to here was brought; after the initial state, the whole of it. */
  | { readonly type: 'bookmark'; readonly id: string; readonly revision: number }
  /** The initial state comes, from its beginning: forget what came of it so far. Null: it was only cut off. */
  | { readonly type: 'reload'; readonly reason: ReloadReason | null };

export interface StreamParts extends StreamOptions {
  readonly signal: AbortSignal;
  /** Null: connected. */
  readonly onState?: (error: UmbraError | null) => void;
}

const LONGEST_MS = 30_000;
/** Ends as `forbidden` in a row, without a change between, after which that is believed. */
const MAX_FORBIDDEN = 3;
const GONE: ReadonlySet<string> = new Set<ReloadReason>(['compacted', 'epoch-changed', 'cursor-gone']);

/**
 * A stream of the service that outlives its connections: after a cut it resumes from the last event that was taken, on
 * whichever node answers. It ends with a named error, or when its signal aborts.
 */
export class ChangeStream {
  #cursor: string | undefined;
  #failures = 0;
  #forbidden = 0;
  #retryMs: number | null = null;
  /** Milliseconds of the monotonic clock at which the stream was last known to live. */
  #aliveAt: number;
  /** Events of an initial state that is not complete yet. */
  #isPartial = false;

  constructor(
    private readonly caller: Caller,
    private readonly source: Source,
    private readonly parts: StreamParts,
  ) {
    this.#cursor = parts.cursor;
    this.#aliveAt = caller.platform.clock.monotonic();
  }

  /**
   * To be read once.
   * @throws UmbraError: compacted, epoch-changed, cursor-gone without `initial`; unreachable; closed; forbidden; a
   * refusal by the service
   */
  async *events(): AsyncGenerator<StreamEvent, void, undefined> {
    const { signal } = this.parts;
    while (!signal.aborted) {
      const failure = yield* this.#connection();
      // An abort is no failure: whoever has asked for the end gets it.
      if (signal.aborted) return;
      if (GONE.has(failure.code)) {
        if (!this.parts.initial) throw failure;
        this.#cursor = undefined;
        yield { type: 'reload', reason: failure.code as ReloadReason };
      } else if (this.#isPartial) {
        yield { type: 'reload', reason: null };
      }
      this.#isPartial = false;
      this.parts.onState?.(failure);
      await this.#pause(failure);
    }
  }

  /** One connection, to its end. Returns why it has ended. */
  async *#connection(): AsyncGenerator<StreamEvent, UmbraError, undefined> {
    const control = linked([this.parts.signal, this.caller.closed], 'the stream');
    const { clock } = this.caller.platform;
    const { heartbeatMs = 30_000 } = this.parts;
    try {
      const { body } = await this.caller.stream(this.#request(), control.signal);
      if (body === null) return clientError('bad-answer', 'the stream has no body');
      const onRetry = (ms: number): void => void (this.#retryMs = ms);
      for await (const { event, id, data } of eventsOf(body, { clock, heartbeatMs, signal: control.signal, onRetry })) {
        const read = eventOf(event, id, data);
        if (read === null) continue;
        if (read instanceof UmbraError) return read;
        this.#seen(read);
        yield read;
        // Only now is it taken.
        if ('id' in read) this.#cursor = read.id;
        // More may have come with it.
        control.signal.throwIfAborted();
      }
      return clientError('unreachable', 'the stream was cut', { retryable: true });
    } catch (error) {
      if (!(error instanceof UmbraError)) throw error;
      return error.status === 410 ? goneOf(error) : error;
    } finally {
      control.abort();
    }
  }

  #request(): Parameters<Caller['stream']>[0] {
    const { path, query } = this.source;
    const { initial, minRevision, previous } = this.parts;
    const cursor = this.#cursor;
    const start = cursor === undefined ? { initial, minRevision } : {};
    const headers = { accept: 'text/event-stream', ...(cursor !== undefined && { 'last-event-id': cursor }) };
    return { name: 'watch', path, query: { ...query, ...start, previous }, headers };
  }

  #seen(event: StreamEvent): void {
    this.#isPartial = event.type === 'initial';
    this.#aliveAt = this.caller.platform.clock.monotonic();
    this.#failures = 0;
    if (event.type === 'change') this.#forbidden = 0;
    this.parts.onState?.(null);
  }

  /** @throws UmbraError `failure`, if nothing is to be gained by connecting again; unreachable */
  async #pause(failure: UmbraError): Promise<void> {
    const { clock, random } = this.caller.platform;
    const { outageMs = 600_000, reconnect = {}, signal } = this.parts;
    const isForbidden = failure.code === 'forbidden' && failure.status === null && ++this.#forbidden < MAX_FORBIDDEN;
    // An error of one node may be none of another.
    const isPassing = failure.retryable || (failure.status ?? 0) >= 500;
    if (!isPassing && !GONE.has(failure.code) && !isForbidden) throw failure;
    const firstMs = reconnect.firstMs ?? this.#retryMs ?? 1_000;
    const longestMs = Math.max(reconnect.longestMs ?? LONGEST_MS, firstMs);
    const ms = Math.max(pauseAfter(++this.#failures, { firstMs, longestMs }, random()), failure.retryAfterMs ?? 0);
    const outage = clock.monotonic() + ms - this.#aliveAt;
    if (outage > outageMs) {
      const message = `the stream could not be continued for ${Math.round(outageMs)} ms: ${failure.message}`;
      throw clientError('unreachable', message, { retryable: true, cause: failure });
    }
    const control = linked([signal, this.caller.closed], 'the stream');
    await pause(clock, ms, control.signal, 'the stream')
      .catch((error: unknown) => {
        if (!signal.aborted) throw error;
      })
      .finally(() => control.abort());
  }
}

/** The cursor was gone before the stream began: a 410 says why, unless it is no answer of a node. */
function goneOf({ message, status, requestId, problem }: UmbraError): UmbraError {
  const reason = problem?.['reason'] as ClientCode;
  return clientError(GONE.has(reason) ? reason : 'cursor-gone', message, { status, requestId, problem });
}

/** Null: a type that this library does not know. An error: the end. */
function eventOf(type: string | undefined, id: string | undefined, text: string): StreamEvent | UmbraError | null {
  if (type !== 'change' && type !== 'initial' && type !== 'bookmark' && type !== 'end') return null;
  const data = objectOf(text);
  if (data === null) return clientError('bad-answer', 'an event of the stream is not JSON', { retryable: true });
  if (type === 'end') return endOf(data as { reason?: string; message?: string });
  if (type === 'initial') return { type, data: data as unknown as ChangeData };
  if (id === undefined || id === '') return clientError('bad-answer', 'an event of the stream has no id');
  if (type === 'change') return { type, id, data: data as unknown as ChangeData };
  return { type, id, revision: Number(data['revision']) };
}

/** The service ends a stream and says why; after all but these reasons the reader connects again. */
function endOf({
  reason = 'failed',
  message = 'the stream has ended',
}: {
  reason?: string;
  message?: string;
}): UmbraError {
  const isLast = GONE.has(reason) || reason === 'forbidden';
  return clientError(reason as ClientCode, message, { retryable: !isLast });
}
