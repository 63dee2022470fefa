import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { WebSocket, type ClientOptions } from 'ws';

export interface StreamMessage {
  readonly type: string;
  readonly id?: string;
  readonly data: Record<string, unknown>;
}

/** Reads the messages of a stream over WebSocket one by one. */
export class MessageReader {
  readonly #messages: StreamMessage[] = [];
  readonly #closed: Promise<{ code: number; reason: string }>;
  #isClosed = false;
  #wake: (() => void) | null = null;
  /** Of the answer that opened it. */
  headers: IncomingHttpHeaders = {};

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data: Buffer) => {
      this.#messages.push(JSON.parse(data.toString()) as StreamMessage);
      this.#wake?.();
    });
    this.#closed = new Promise((resolve) =>
      socket.once('close', (code, reason) => {
        this.#isClosed = true;
        this.#wake?.();
        resolve({ code, reason: reason.toString() });
      }),
    );
    socket.on('error', () => undefined);
    socket.once('upgrade', ({ headers }) => (this.headers = headers));
  }

  /** Connects; an answer that opens no WebSocket is thrown, status first. @param url of HTTP */
  static async open(url: string, protocols: string[] = [], options: ClientOptions = {}): Promise<MessageReader> {
    const socket = new WebSocket(url.replace(/^http/, 'ws'), protocols, options);
    const reader = new MessageReader(socket);
    const refused = new Promise<never>((_resolve, reject) => {
      socket.once('unexpected-response', (_request, response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.once('close', () => reject(new Error(`status ${response.statusCode}: ${text}`)));
      });
      socket.once('error', reject);
    });
    await Promise.race([once(socket, 'open'), refused]);
    return reader;
  }

  /** Messages that have come and were not read. */
  get waiting(): number {
    return this.#messages.length;
  }

  /** The code and the reason of its end. */
  get closed(): Promise<{ code: number; reason: string }> {
    return this.#closed;
  }

  /** The next message, or null when the WebSocket is closed. */
  async next(): Promise<StreamMessage | null> {
    for (;;) {
      const message = this.#messages.shift();
      if (message) return message;
      if (this.#isClosed) return null;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** The next message of a type; others are passed over. */
  async nextOf(...types: string[]): Promise<StreamMessage> {
    for (;;) {
      const message = await this.next();
      if (message === null) throw new Error(`the stream ended before ${types.join(' or ')}`);
      if (types.includes(message.type)) return message;
    }
  }

  grant(events: number): void {
    this.socket.send(JSON.stringify({ type: 'credit', events }));
  }

  close(): void {
    this.socket.terminate();
  }
}
