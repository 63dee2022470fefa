import type { FastifyReply } from 'fastify';
import { TextStream, type StreamOptions } from './text-stream.js';

/** Shortest and longest pause of a client before it connects again, in milliseconds; random, so that clients spread. */
const RETRY_MS = [1_000, 3_000] as const;

/** Server-sent events over one response, until its connection closes. Bookmarks keep an idle stream alive. */
export class EventStream extends TextStream {
  /** Sends the headers. From here on the reply belongs to the stream. */
  constructor(reply: FastifyReply, onClose: () => void, options: StreamOptions = {}) {
    super(reply, EVENT_HEADERS, onClose, { untilClose: true, ...options });
    void this.write(`retry: ${Math.round(RETRY_MS[0] + Math.random() * (RETRY_MS[1] - RETRY_MS[0]))}\n\n`);
  }
}

const EVENT_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  // Without it, reverse proxies would buffer events.
  'x-accel-buffering': 'no',
};

/** One event in the text format of the HTML standard. `data` must be a single line, as compact JSON is. */
export function frame(event: string, data: string, id?: string): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${data}\n\n`;
}
