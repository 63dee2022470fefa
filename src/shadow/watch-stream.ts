import type { FastifyReply, FastifyRequest } from 'fastify';
import { changeEventText } from '../document/change-event.js';
import { ServiceError } from '../errors/service-error.js';
import { EventStream, frame } from '../http/event-stream.js';
import type { ShadowFilter } from '../store/shadow-feed.js';
import type { ShadowRecord } from '../store/shadow-store.js';
import { encodeCursor } from '../watch/cursor.js';
import type { Cursor, ShadowEvent } from '../watch/subscription.js';
import { contentFilter, keyFilter } from '../watch/watch-filter.js';
import { filterOf, type WatchQuery } from './watch.dto.js';
import { END_MESSAGES, type PermittedWatch, type WatchEnd, type WatchShadows } from './watch.js';

/** Milliseconds for which a resuming stream waits for the fate of its cursor: a lost one gets a 410 and no stream. */
const KNOWN_GONE_MS = 250;

/** Milliseconds after which a stream that leaves changes out says how far it is: its cursor must not be compacted. */
const SKIPPED_MS = 1_000;

type Events = AsyncIterator<ShadowEvent>;

/**
 * Writes one subscription as server-sent events until either side ends it.
 * @throws ServiceError, before anything was sent: invalidRequest, tooManyRequests, cursorGone, draining
 */
export async function streamWatch(
  shadows: WatchShadows,
  { tenant, thing, name }: ShadowFilter,
  query: WatchQuery,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const wanted = filterOf(query);
  const only = keyFilter(wanted);
  const filter = {
    tenant,
    ...(thing !== undefined && { thing }),
    ...(name !== undefined && { name }),
    ...(only !== null && { only }),
  };
  // A browser that connects again repeats the address, query string included, and adds the header.
  const cursor = lastEventId(request) ?? query.cursor;
  if (request.method === 'HEAD') return void reply.header('content-type', 'text/event-stream').send();
  const { principal, ip: address } = request;
  const watched = { filter, content: contentFilter(wanted) };
  const start = { ...(cursor !== undefined && { cursor }), initial: query.initial };
  const subscription = shadows.watch({ principal, address }, watched, start);
  try {
    await serve(subscription, cursor !== undefined, request, reply);
  } finally {
    subscription.close();
  }
}

async function serve(
  subscription: PermittedWatch,
  resumes: boolean,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const events = subscription.events();
  const first = events.next();
  if (resumes) await throwIfGone(subscription, first);
  const stream = new EventStream(reply, () => subscription.close());
  let reason: WatchEnd | null = null;
  void subscription.ended.then((ended) => {
    reason = ended;
    stream.abandon();
  });
  try {
    if (await copy(subscription, events, first, stream)) reason = await subscription.ended;
    const end = reason ?? 'too-slow';
    stream.end(frame('end', JSON.stringify({ reason: end, message: END_MESSAGES[end], reload: reloadUrl(request) })));
  } finally {
    stream.end('');
  }
}

/** True when the events ended; false when the client stopped reading. */
async function copy(
  subscription: PermittedWatch,
  events: Events,
  first: ReturnType<Events['next']>,
  stream: EventStream,
): Promise<boolean> {
  let skippedSince: number | null = null;
  for (let next = await first; !next.done; next = await events.next()) {
    const { value: event } = next;
    const text = subscription.shows(event) ? textOf(event) : skippedText(event, (skippedSince ??= performance.now()));
    if (text === null) continue;
    skippedSince = null;
    const written = stream.write(text);
    if (written !== true && !(await written)) return false;
  }
  return true;
}

async function throwIfGone(subscription: PermittedWatch, first: ReturnType<Events['next']>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<null>((resolve) => (timer = setTimeout(resolve, KNOWN_GONE_MS, null)));
  // The events of a stream that has ended end too, perhaps before its reason is known.
  const begun = first.then(({ done }) => (done ? subscription.ended : null));
  const ended = await Promise.race([subscription.ended, begun, patience]);
  clearTimeout(timer);
  if (ended === 'compacted' || ended === 'epoch-changed') throw new ServiceError('cursorGone', END_MESSAGES[ended]);
  if (ended === 'draining') throw new ServiceError('draining');
}

function lastEventId(request: FastifyRequest): string | undefined {
  const header = request.headers['last-event-id'];
  // A client that has seen no id sends an empty header.
  return typeof header === 'string' && header !== '' ? header : undefined;
}

/** The address to start over: the same stream with the present state first. */
function reloadUrl(request: FastifyRequest): string {
  const [path = '', search = ''] = request.url.split('?', 2);
  const query = new URLSearchParams(search);
  query.delete('cursor');
  query.set('initial', 'true');
  return `${path}?${query.toString()}`;
}

/** One text per change for all streams, kept as long as the record itself. */
const TEXTS = new WeakMap<ShadowRecord, string>();

function dataOf(record: ShadowRecord): string {
  const known = TEXTS.get(record);
  if (known !== undefined) return known;
  const text = changeEventText(record);
  TEXTS.set(record, text);
  return text;
}

function textOf(event: ShadowEvent): string | null {
  switch (event.kind) {
    case 'change':
      return frame('change', dataOf(event.record), encodeCursor(event.cursor));
    case 'initial':
      // Without an id, a client that is cut off before the bookmark starts over with the whole present state.
      return frame('initial', dataOf(event.record));
    case 'bookmark':
      return bookmarkText(event.cursor);
    case 'gap':
      // Only readers that asked for gaps get them; these streams end instead.
      return null;
  }
}

/** Of a change that is left out: now and then a bookmark, since the stream is not idle; null: nothing. */
function skippedText(event: ShadowEvent, since: number): string | null {
  return event.kind === 'change' && performance.now() - since > SKIPPED_MS ? bookmarkText(event.cursor) : null;
}

function bookmarkText(cursor: Cursor): string {
  // In the middle of a revision, only those before it are complete.
  const revision = cursor.seen === null ? cursor.revision : cursor.revision - 1;
  return frame('bookmark', JSON.stringify({ revision }), encodeCursor(cursor));
}
