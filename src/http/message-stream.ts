import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import { DrainWait } from './drain-wait.js';
import { STREAM_PROTOCOL } from './server/sub-protocols.js';
import type { Upgrade } from './server/upgrades.js';

export interface MessageOptions {
  /** Milliseconds for which a client may read nothing while data waits for it. */
  readonly stallMs?: number;
  /** Milliseconds for the client's answer to the close. */
  readonly lingerMs?: number;
  /** Milliseconds between pings; a client that leaves MAX_UNANSWERED of them without any answer is cut off. */
  readonly pingMs?: number;
}

/** Who hears from the client. */
export interface MessageListener {
  /** A message of text. */
  message(text: string): void;
  /** The client does what no client needs to: `why` says what. The stream goes on until it is ended. */
  faulty(why: string): void;
  /** The client is gone; called once. */
  closed(): void;
}

/** Bytes of the longest message of a client. Closed with 1009 beyond it, as RFC 6455 section 7.4.1 has it. */
const MAX_MESSAGE_BYTES = 1024;
/** A ping may wait behind all that the client has not read yet. */
const MAX_UNANSWERED = 3;
/** Messages, pings and pongs of a client in a second. */
const MAX_RATE = 100;
/** Milliseconds. */
const RATE_WINDOW_MS = 1_000;

const server = new WebSocketServer({
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  autoPong: false,
  maxPayload: MAX_MESSAGE_BYTES,
  // Pieces of one message that are kept until it is complete.
  maxBufferedChunks: 64,
  maxFragments: 16,
  handleProtocols: (offered) => offered.has(STREAM_PROTOCOL) && STREAM_PROTOCOL,
});

/** Headers of the answer to an upgrade beside those of WebSocket, such as its id. */
const headersOf = new WeakMap<IncomingMessage, readonly string[]>();
server.on('headers', (headers, request) => headers.push(...(headersOf.get(request) ?? [])));

const uncork = (socket: Duplex): void => socket.uncork();

/** Messages over one WebSocket, with the back-pressure of an EventStream: at most one more waits in the socket. */
export class MessageStream {
  #isClosed = false;
  #hears = true;
  #windowFrom = 0;
  #came = 0;
  #total = 0;
  #totalAtPing = -1;
  #unanswered = 0;
  readonly #drain: DrainWait;
  readonly #lingerMs: number;
  readonly #pings: NodeJS.Timeout;

  /**
   * Answers the upgrade. From here on the reply belongs to the stream. Resolves with null when the client is gone.
   * No errors.
   */
  static async open(
    upgrade: Upgrade,
    reply: FastifyReply,
    listener: MessageListener,
    options: MessageOptions = {},
  ): Promise<MessageStream | null> {
    const { request, socket, head } = upgrade;
    headersOf.set(
      request,
      Object.entries(reply.getHeaders()).map(([name, value]) => `${name}: ${String(value)}`),
    );
    reply.hijack();
    // For the line in the log.
    reply.raw.statusCode = 101;
    const opened = new Promise<MessageStream>((resolve) =>
      server.handleUpgrade(request, socket, head, (webSocket) =>
        resolve(new MessageStream(webSocket, upgrade, listener, options)),
      ),
    );
    const gone = reply.raw.closed ? Promise.resolve(null) : once(reply.raw, 'close').then(() => null);
    return Promise.race([opened, gone]);
  }

  private constructor(
    private readonly webSocket: WebSocket,
    private readonly upgrade: Upgrade,
    private readonly listener: MessageListener,
    { stallMs = 30_000, lingerMs = 5_000, pingMs = 30_000 }: MessageOptions,
  ) {
    this.#drain = new DrainWait(stallMs);
    this.#lingerMs = lingerMs;
    this.#pings = setInterval(() => this.#ping(), pingMs).unref();
    upgrade.socket.on('drain', () => this.#drain.notify());
    webSocket.on('message', (data, isBinary) => this.#message(data, isBinary));
    webSocket.on('ping', (data: Buffer) => {
      // Pongs must not pile up for a client that does not read.
      if (this.#heard() && !upgrade.socket.writableNeedDrain) webSocket.pong(data);
    });
    webSocket.on('pong', () => this.#heard());
    // A frame that breaks the protocol: `ws` closes with its code.
    webSocket.on('error', () => this.#cutSoon());
    webSocket.once('close', () => {
      this.#isClosed = true;
      clearInterval(this.#pings);
      this.#drain.notify();
      listener.closed();
    });
  }

  /**
   * Sends a frame that messageFrame has made. Returns false when the client is gone, read nothing for `stallMs`, or the
   * stream was abandoned meanwhile. Returns a promise only when the socket is full. No errors.
   */
  write(frame: Buffer): boolean | Promise<boolean> {
    if (this.#isClosed || this.webSocket.readyState !== this.webSocket.OPEN) return false;
    const { socket } = this.upgrade;
    // As Node does for responses: what comes in one turn, such as the changes of one commit, goes to the system at once.
    if (socket.writableCorked === 0) {
      socket.cork();
      process.nextTick(uncork, socket);
    }
    // `ws` writes its own frames whole, and the head of a message apart from its text: for many readers that is dear.
    if (socket.write(frame)) return true;
    return this.#drain.next().then((isDrained) => isDrained && !this.#isClosed);
  }

  /** Ends a waiting `write` with false, because its message is no longer needed. */
  abandon(): void {
    this.#drain.abandon();
  }

  /** Sends a last message and closes; a client that does not answer within `lingerMs` is cut off. No errors. */
  end(text: string, code: number, reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#hears = false;
    this.webSocket.send(text, { binary: false });
    this.webSocket.close(code, reason);
    this.#cutSoon();
  }

  #cutSoon(): void {
    const timer = setTimeout(() => this.webSocket.terminate(), this.#lingerMs);
    this.webSocket.once('close', () => clearTimeout(timer));
  }

  #message(data: RawData, isBinary: boolean): void {
    if (!this.#heard()) return;
    if (isBinary) this.#fault('messages must be text');
    else this.listener.message((data as Buffer).toString());
  }

  /** False: nothing of the client counts any more. */
  #heard(): boolean {
    if (!this.#hears) return false;
    this.#total++;
    const now = performance.now();
    if (now - this.#windowFrom > RATE_WINDOW_MS) {
      this.#windowFrom = now;
      this.#came = 0;
    }
    if (++this.#came <= MAX_RATE) return true;
    this.#fault(`more than ${MAX_RATE} messages and pings came in a second`);
    return false;
  }

  #fault(why: string): void {
    this.#hears = false;
    this.listener.faulty(why);
  }

  #ping(): void {
    this.#unanswered = this.#total === this.#totalAtPing ? this.#unanswered + 1 : 0;
    if (this.#unanswered >= MAX_UNANSWERED) return this.webSocket.terminate();
    this.#totalAtPing = this.#total;
    this.webSocket.ping();
  }
}
