import type { FastifyReply } from 'fastify';
import { ServiceError } from '../errors/service-error.js';
import { EventStream, frame } from '../http/event-stream.js';
import { copyEvents, type Events, type EventWriter } from './copy-events.js';
import { sentEvent } from './watch-texts.js';
import { END_MESSAGES, endText, type PermittedWatch, type WatchEnd } from './watch.js';

/** Milliseconds for which a resuming stream waits for the fate of its cursor: a lost one gets a 410 and no stream. */
const KNOWN_GONE_MS = 250;

export interface SentEventsStart {
  /** Whether it begins behind a cursor. */
  readonly resumes: boolean;
  /** The address of the same stream with the present state first. */
  readonly reload: string;
}

/**
 * Writes a watch as server-sent events until either side ends it.
 * @throws ServiceError, before anything was sent: cursorGone, draining
 */
export async function serveSentEvents(
  watch: PermittedWatch,
  { resumes, reload }: SentEventsStart,
  reply: FastifyReply,
): Promise<void> {
  const events = watch.events();
  const first = events.next();
  if (resumes) await throwIfGone(watch, first);
  const stream = new EventStream(reply, () => watch.close());
  let reason: WatchEnd | null = null;
  void watch.ended.then((ended) => {
    reason = ended;
    stream.abandon();
  });
  const writer: EventWriter = { ready: () => true, write: (event, detail) => stream.write(sentEvent(event, detail)) };
  try {
    if (await copyEvents(watch, events, writer, first)) reason = await watch.ended;
    const end = reason ?? 'too-slow';
    stream.end(frame('end', endText(end, END_MESSAGES[end], reload)));
  } finally {
    stream.end('');
  }
}

async function throwIfGone(watch: PermittedWatch, first: ReturnType<Events['next']>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<null>((resolve) => (timer = setTimeout(resolve, KNOWN_GONE_MS, null)));
  // The events of a stream that has ended end too, perhaps before its reason is known.
  const begun = first.then(({ done }) => (done ? watch.ended : null));
  const ended = await Promise.race([watch.ended, begun, patience]);
  clearTimeout(timer);
  if (ended === 'compacted' || ended === 'epoch-changed') throw new ServiceError('cursorGone', END_MESSAGES[ended]);
  if (ended === 'draining') throw new ServiceError('draining');
}
