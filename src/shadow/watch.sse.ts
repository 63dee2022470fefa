import type { FastifyReply } from 'fastify';
import { EventStream, frame } from '../http/event-stream.js';
import { copyEvents, type BegunStream, type EventWriter, type FirstEvent } from './copy-events.js';
import { throwIfGone } from './gone-cursor.js';
import { sentEvent } from './watch-texts.js';
import { END_MESSAGES, endText, type PermittedWatch, type WatchEnd } from './watch.js';

export interface SentEventsStart {
  /** Whether it begins behind a cursor. */
  readonly resumes: boolean;
  /** The address of the same stream with the present state first. */
  readonly reload: string;
}

/**
 * Begins to write a watch as server-sent events; they go on until either side ends them.
 * @throws ServiceError, before anything was sent: cursorGone, draining
 */
export async function beginSentEvents(
  watch: PermittedWatch,
  { resumes, reload }: SentEventsStart,
  reply: FastifyReply,
): Promise<BegunStream> {
  const first = resumes ? watch.events().next() : undefined;
  if (first) await throwIfGone(watch, first);
  const stream = new EventStream(reply, () => watch.close());
  return { over: writeSentEvents(watch, stream, reload, first) };
}

async function writeSentEvents(
  watch: PermittedWatch,
  stream: EventStream,
  reload: string,
  first: FirstEvent | undefined,
): Promise<void> {
  let reason: WatchEnd | null = null;
  void watch.ended.then((ended) => {
    reason = ended;
    stream.abandon();
  });
  const writer: EventWriter = { ready: () => true, write: (event, detail) => stream.write(sentEvent(event, detail)) };
  try {
    if (await copyEvents(watch, writer, first)) reason = await watch.ended;
    const end = reason ?? 'too-slow';
    stream.end(frame('end', endText(end, END_MESSAGES[end], reload)));
  } finally {
    stream.end('');
  }
}
