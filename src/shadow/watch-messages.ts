import { ServiceError } from '../errors/service-error.js';
import type { GrpcStream } from '../grpc/grpc-call.js';
import { field } from '../grpc/wire.js';
import { PresenceUpdate } from '../store/presence-update.js';
import type { ShadowRecord } from '../store/shadow-store.js';
import { encodeCursor } from '../watch/cursor.js';
import type { Cursor, ShadowEvent } from '../watch/subscription.js';
import { copyEvents, type EventWriter } from './copy-events.js';
import type { Before } from './documents-before.js';
import { CursorGone, throwIfGone } from './gone-cursor.js';
import { changeMessage, presenceMessage } from './shadow-messages.js';
import { END_MESSAGES, type PermittedWatch, type WatchEnd } from './watch.js';

/** Field of WatchResponse. Fields of a message may follow one another in any order, so one is added to kept bytes. */
const CURSOR_FIELD = 5;

type Stream = GrpcStream<unknown>;

/**
 * Writes one subscription as messages until either side ends it; the last message says why.
 * @throws ServiceError for each end that is not the caller's own
 */
export async function writeWatch(stream: Stream, subscription: PermittedWatch, resumes: boolean): Promise<void> {
  const first = resumes ? subscription.events().next() : undefined;
  if (first) await throwIfGone(subscription, first);
  let isOver = false;
  stream.onClose(() => {
    isOver = true;
    subscription.close();
  });
  let reason: WatchEnd | null = null;
  void subscription.ended.then((ended) => {
    reason = ended;
    stream.abandon();
  });
  const writer: EventWriter = {
    ready: () => true,
    write: (event, { previous }) => stream.write(bytesOf(stream, event, previous)),
  };
  if (await copyEvents(subscription, writer, first)) reason = await subscription.ended;
  if (isOver) return;
  const end = reason ?? 'too-slow';
  const reload = end === 'compacted' || end === 'epoch-changed';
  void stream.write(stream.encode({ end: { reason: end, message: END_MESSAGES[end], reload } }));
  throw errorOf(end);
}

function errorOf(end: WatchEnd): ServiceError {
  const message = END_MESSAGES[end];
  switch (end) {
    case 'compacted':
    case 'epoch-changed':
      return new CursorGone(end);
    case 'forbidden':
      return new ServiceError('notAllowed', 'umbra:Watch any more');
    case 'too-slow':
      return new ServiceError('tooManyRequests', message);
    case 'failed':
      return new ServiceError('storageUnavailable');
    case 'draining':
    case 'closed':
      return new ServiceError('draining');
  }
}

/** One message per change for all streams, without its cursor, kept as long as the record itself. */
const CHANGES = new WeakMap<ShadowRecord, Buffer>();

function bytesOf(stream: Stream, event: ShadowEvent, before: Before | undefined): Buffer {
  switch (event.kind) {
    case 'change':
      return Buffer.concat([changeBytes(stream, event.record, before), cursorField(event.cursor)]);
    case 'initial':
      // Without a cursor, a client that is cut off before the bookmark starts over with the whole present state.
      return initialBytes(stream, event.record);
    case 'bookmark':
      return bookmark(stream, event.cursor);
    case 'gap':
      // Only readers that asked for gaps get them; these streams end instead.
      throw new Error('a stream got a gap');
  }
}

/** Few ask for what was before: with it they get a message of their own. */
function changeBytes(stream: Stream, record: ShadowRecord, before: Before | undefined): Buffer {
  if (before !== undefined) return stream.encode({ change: changeMessage(record, before) });
  let bytes = CHANGES.get(record);
  if (bytes === undefined) {
    bytes = stream.encode(
      record instanceof PresenceUpdate ? { presence: presenceMessage(record) } : { change: changeMessage(record) },
    );
    CHANGES.set(record, bytes);
  }
  return bytes;
}

function initialBytes(stream: Stream, record: ShadowRecord): Buffer {
  return stream.encode(
    record instanceof PresenceUpdate
      ? { initialPresence: presenceMessage(record) }
      : { initial: changeMessage(record) },
  );
}

const cursorField = (cursor: Cursor): Buffer => field(CURSOR_FIELD, encodeCursor(cursor));

function bookmark(stream: Stream, cursor: Cursor): Buffer {
  // In the middle of a revision, only those before it are complete.
  const revision = cursor.seen === null ? cursor.revision : cursor.revision - 1;
  return stream.encode({ bookmark: { revision }, cursor: encodeCursor(cursor) });
}
