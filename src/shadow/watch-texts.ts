import { withPreviousText } from '../document/change-event.js';
import { frame } from '../http/event-stream.js';
import { messageFrame } from '../http/message-frame.js';
import type { ShadowRecord } from '../store/shadow-store.js';
import { encodeCursor } from '../watch/cursor.js';
import { eventText } from '../watch/event-text.js';
import type { Cursor, ShadowEvent } from '../watch/subscription.js';
import type { Before } from './documents-before.js';
import type { EventDetail } from './watch.js';

/** Puts the name of an event, its data as JSON, and its cursor in a form. */
type Form = (name: string, data: string, id?: string) => Buffer;

/** Server-sent events, as bytes that all their readers share. No errors. */
export const sentEvent = rememberingLast((name, data, id) => Buffer.from(frame(name, data, id)));

/** Frames of a WebSocket, `{"type":…,"id":…,"data":…}`, as bytes that all their readers share. No errors. */
export const message = rememberingLast((name, data, id) => messageFrame(messageText(name, data, id)));

/** No errors. */
export function messageText(name: string, data: string, id?: string): string {
  return `{"type":"${name}",${id === undefined ? '' : `"id":"${id}",`}"data":${data}}`;
}

/** One text per change for all streams, kept as long as the record itself. */
const TEXTS = new WeakMap<ShadowRecord, string>();

function dataOf(record: ShadowRecord): string {
  const known = TEXTS.get(record);
  if (known !== undefined) return known;
  const text = eventText(record);
  TEXTS.set(record, text);
  return text;
}

/** Live readers of one event take it one after the other, so the last one is what the next reader wants. */
function rememberingLast(form: Form): (event: ShadowEvent, detail?: EventDetail) => Buffer {
  let last: ShadowEvent | null = null;
  let text: Buffer | null = null;
  return (event, { previous } = {}) => {
    // Few ask for it, and what they get is longer than all else.
    if (previous !== undefined) return textOf(event, form, previous);
    if (event !== last || text === null) {
      text = textOf(event, form);
      last = event;
    }
    return text;
  };
}

function textOf(event: ShadowEvent, form: Form, previous?: Before): Buffer {
  switch (event.kind) {
    case 'change': {
      const data = dataOf(event.record);
      const whole = previous === undefined ? data : withPreviousText(data, previous);
      return form('change', whole, encodeCursor(event.cursor));
    }
    case 'initial':
      // Without an id, a client that is cut off before the bookmark starts over with the whole present state.
      return form('initial', dataOf(event.record));
    case 'bookmark':
      return form('bookmark', JSON.stringify({ revision: wholeRevision(event.cursor) }), encodeCursor(event.cursor));
    case 'gap':
      // Only readers that asked for gaps get them; these streams end instead.
      throw new Error('a stream got a gap');
  }
}

/** In the middle of a revision, only those before it are complete. */
const wholeRevision = ({ revision, seen }: Cursor): number => (seen === null ? revision : revision - 1);
