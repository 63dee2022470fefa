import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import { DrainWait } from './drain-wait.js';

export interface StreamOptions {
  /** Milliseconds for which a client may read nothing while data waits for it. */
  readonly stallMs?: number;
  /** Milliseconds for the last bytes after `end`. */
  readonly lingerMs?: number;
  /**
   * The end of the connection ends the response, instead of chunks that each write would be wrapped into. For texts that
   * tell their end themselves.
   */
  readonly untilClose?: boolean;
}

/**
 * Text over one response, with back-pressure: `write` resolves only when the socket accepts more data, so its caller
 * stops to make more. The stream queues one text beyond Node's own buffer.
 */
export class TextStream {
  /** True when the client is gone or the stream has ended. */
  #closed = false;
  readonly #raw: ServerResponse;
  readonly #drain: DrainWait;
  readonly #lingerMs: number;

  /** Sends the headers. From here on the reply belongs to the stream. */
  constructor(
    reply: FastifyReply,
    headers: Readonly<Record<string, string>>,
    onClose: () => void,
    { stallMs = 30_000, lingerMs = 5_000, untilClose = false }: StreamOptions = {},
  ) {
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
    // TCP or `stallMs` detects a dead client.
    this.#raw.socket?.setTimeout(0);
    this.#raw.socket?.setNoDelay(true);
    // Unless it is removed, Node adds it.
    if (untilClose) this.#raw.removeHeader('transfer-encoding');
    const connection = untilClose ? { connection: 'close' } : {};
    this.#raw.writeHead(200, { ...headersOf(reply), ...headers, ...connection });
  }

  /**
   * Returns false when the client is gone, read nothing for `stallMs`, or the stream was abandoned meanwhile. Returns a
   * promise only when the socket is full: most writes need no turn of the event loop.
   */
  write(text: string | Buffer): boolean | Promise<boolean> {
    if (this.#closed) return false;
    return this.#raw.write(text) || this.#drain.next().then((isDrained) => isDrained && !this.#closed);
  }

  /** Ends a waiting `write` with false, because its text is no longer needed. */
  abandon(): void {
    this.#drain.abandon();
  }

  /** Sends a last text and closes; a client that does not take it within `lingerMs` is cut off. */
  end(text: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#raw.end(text);
    const timer = setTimeout(() => this.#raw.destroy(), this.#lingerMs);
    this.#raw.once('close', () => clearTimeout(timer));
  }
}

function headersOf(reply: FastifyReply): Record<string, string> {
  return Object.fromEntries(Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)]));
}
