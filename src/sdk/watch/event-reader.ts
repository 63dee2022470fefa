import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { Clock } from '../platform.js';
import { clientError, UmbraError } from '../umbra-error.js';
import { within } from '../within.js';

export interface ReaderOptions {
  readonly clock: Clock;
  /** Milliseconds without a byte after which the stream counts as lost. */
  readonly heartbeatMs: number;
  readonly signal: AbortSignal;
  /** The service says how long to wait before connecting again, in milliseconds. */
  readonly onRetry: (ms: number) => void;
}

/** Characters of one event. The largest of the service, with two documents, has less than one MiB by default. */
const MAX_EVENT = 33_554_432;

/**
 * The server-sent events of a body. It is read only when all events so far were taken, so a slow reader slows down the
 * connection instead of filling its own memory.
 * @throws UmbraError timeout, aborted, unreachable, bad-answer
 */
export async function* eventsOf(
  body: ReadableStream<Uint8Array>,
  { clock, heartbeatMs: ms, signal, onRetry }: ReaderOptions,
): AsyncGenerator<EventSourceMessage, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let events: EventSourceMessage[] = [];
  let isTooLarge = false;
  const parser = createParser({
    onEvent: (event) => events.push(event),
    onRetry,
    onError: ({ type }) => (isTooLarge ||= type === 'max-buffer-size-exceeded'),
    maxBufferSize: MAX_EVENT,
  });
  try {
    for (;;) {
      const { done, value } = await within({ clock, ms, what: 'the stream', signals: [signal] }, () => reader.read());
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
      if (isTooLarge) throw clientError('bad-answer', `an event has more than ${MAX_EVENT} characters`);
      const taken = events;
      events = [];
      yield* taken;
    }
  } catch (error) {
    if (error instanceof UmbraError) throw error;
    throw clientError('unreachable', 'the stream was cut', { retryable: true, cause: error });
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}
