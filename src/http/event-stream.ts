import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import { DrainWait } from './drain-wait.js';

export interface StreamOptions {
  /** Milliseconds for which a client may read nothing while data waits for it. */
  readonly stallMs?: number;
  /** Milliseconds for the last bytes after `end`. */
  readonly lingerMs?: number;
}

/** Shortest and longest pause of a client before it connects again, in milliseconds; random, so that clients spread. */
const RETRY_MS = [1_000, 3_000] as const;

/**
 * Server-sent events over one response, with back-pressure: `write` resolves only when the socket accepts more data, so
 * its caller stops pulling from a bounded subscription. The stream queues one event beyond Node's own buffer.
 */
export class EventStream {
  /** True when the client is gone or the stream has ended. */
  #closed = false;
  readonly #raw: ServerResponse;
  readonly #drain: DrainWait;
  readonly #lingerMs: number;

  /** Sends the headers. From here on the reply belongs to the stream. */
  constructor(reply: FastifyReply, onClose: () => void, { stallMs = 30_000, lingerMs = 5_000 }: StreamOptions = {}) {
    reply.hijack();
    this.#raw = reply.raw;
    this.#drain = new DrainWait(stallMs);
    this.#lingerMs = lingerMs;
    this.#raw.on('drain', () => this.#drain.notify());
    this.#raw.on('error', () => this.#raw.destroy());
    this.#raw.once('close', () => {
      this.#closed = true;
      this.#drain.notify();
      onClose();
    });
    // The client may have left before this point, and then no 'close' follows.
    if (this.#raw.destroyed) {
      this.#closed = true;
      onClose();
      return;
    }
    // Bookmarks keep an idle stream alive; TCP or `stallMs` detects a dead client.
    this.#raw.socket?.setTimeout(0);
    this.#raw.socket?.setNoDelay(true);
    this.#raw.writeHead(200, { ...headersOf(reply), ...EVENT_HEADERS });
    this.#raw.write(`retry: ${Math.round(RETRY_MS[0] + Math.random() * (RETRY_MS[1] - RETRY_MS[0]))}\n\n`);
  }

  /**
   * Returns false when the client is gone, read nothing for `stallMs`, or the stream was abandoned meanwhile. Returns a
   * promise only when the socket is full: most writes need no turn of the event loop.
   */
  write(frame: string): boolean | Promise<boolean> {
    if (this.#closed) return false;
    return this.#raw.write(frame) || this.#drain.next().then((isDrained) => isDrained && !this.#closed);
  }

  /** Ends a waiting `write` with false, because its frame is no longer needed. */
  abandon(): void {
    this.#drain.abandon();
  }

  /** Sends a last frame and closes; a client that does not take it within `lingerMs` is cut off. */
  end(frame: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#raw.end(frame);
    const timer = setTimeout(() => this.#raw.destroy(), this.#lingerMs);
    this.#raw.once('close', () => clearTimeout(timer));
  }
}

const EVENT_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  // Without it, reverse proxies would buffer events.
  'x-accel-buffering': 'no',
};

function headersOf(reply: FastifyReply): Record<string, string> {
  return Object.fromEntries(Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)]));
}

/** One event in the text format of the HTML standard. `data` must be a single line, as compact JSON is. */
export function frame(event: string, data: string, id?: string): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${data}\n\n`;
}
