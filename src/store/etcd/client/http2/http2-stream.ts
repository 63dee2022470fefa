import type { Headers } from './header-block.js';

/** What a stream brings. After `onClose` nothing comes. */
export interface StreamListener {
  /** Of the answer, and once more behind its data. */
  onHeaders(headers: Headers): void;
  /** The next bytes: a view that is valid until the call returns. */
  onData(piece: Buffer): void;
  /** Called once, unless this side has cancelled: the server has ended it, in order or not, or the connection is gone. */
  onClose(): void;
}

/** What a stream asks of its connection. */
export interface StreamConnection {
  /** Sends what the windows allow of what waits in the stream. */
  send(stream: Http2Stream): void;
  /** Allows the server so many more `bytes`. */
  grant(stream: Http2Stream, bytes: number): void;
  /** Tells the server that nobody waits for the rest. */
  reset(stream: Http2Stream): void;
}

/** The server is allowed more when so much of a window is used up, a stream's or the connection's. */
export const REFILL_SHARE = 0.25;

const NOBODY: StreamListener = { onHeaders: () => undefined, onData: () => undefined, onClose: () => undefined };

/** One request and its answer on a connection. */
export class Http2Stream {
  #listener = NOBODY;
  /** Bytes that wait for room in the windows. The callers bound their requests. */
  #outgoing: Buffer[] = [];
  #isWhole = false;
  #isPaused = false;
  /** What came while it is paused, in order: at most a window of data. */
  #held: (Buffer | Headers | 'end')[] = [];
  /** How many of them have been handed out. */
  #handed = 0;
  #heldBytes = 0;
  #taken = 0;
  #isClosed = false;

  /**
   * @param window bytes that the server may send without being allowed more
   * @param room bytes that the server takes
   */
  constructor(
    readonly id: number,
    private readonly connection: StreamConnection,
    private readonly window: number,
    public room: number,
  ) {}

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether all of the request has gone out. */
  get isSent(): boolean {
    return this.#isWhole && this.#outgoing.length === 0;
  }

  /** To be called in the turn in which it was opened. The connection may have ended by what opening it has sent. */
  listen(listener: StreamListener): void {
    if (this.#isClosed) return listener.onClose();
    this.#listener = listener;
  }

  /** Sends bytes as soon as the windows allow: they must not be changed any more. */
  write(bytes: Buffer): void {
    if (this.#isClosed || this.#isWhole) return;
    this.#outgoing.push(bytes);
    this.connection.send(this);
  }

  /** Sends the last bytes of the request, of which there is one at least. */
  end(bytes: Buffer): void {
    if (this.#isClosed || this.#isWhole) return;
    this.#isWhole = true;
    this.#outgoing.push(bytes);
    this.connection.send(this);
  }

  /** Hands out nothing more until resume(); the server stops when its window is used up. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Hands out what is held, then what comes. */
  resume(): void {
    this.#isPaused = false;
    while (!this.#isPaused && !this.#isClosed && this.#held.length > 0) this.#hand(this.#nextHeld());
  }

  /** Ends it without a further event. */
  cancel(): void {
    if (this.#isClosed) return;
    this.#close();
    this.connection.reset(this);
  }

  /** The next piece to send, of at most `most` bytes; null: nothing waits. For its connection alone. */
  take(most: number): { readonly piece: Buffer; readonly isLast: boolean } | null {
    const first = this.#outgoing[0];
    if (!first) return null;
    const piece = first.length > most ? first.subarray(0, most) : first;
    if (piece === first) this.#outgoing.shift();
    else this.#outgoing[0] = first.subarray(most);
    return { piece, isLast: this.#isWhole && this.#outgoing.length === 0 };
  }

  /** @returns false when the server sends more than it was allowed. For its connection alone */
  receive(piece: Buffer): boolean {
    if (!this.#isPaused) this.#hand(piece);
    else {
      this.#heldBytes += piece.length;
      if (this.#heldBytes > this.window) return false;
      this.#held.push(Buffer.from(piece));
    }
    return true;
  }

  /** So many `bytes` use up its window and are nothing. For its connection alone. */
  pass(bytes: number): void {
    this.#use(bytes);
  }

  /** For its connection alone. */
  receiveHeaders(headers: Headers): void {
    if (this.#isPaused) this.#held.push(headers);
    else this.#hand(headers);
  }

  /** The server has ended it. For its connection alone. */
  finish(): void {
    if (this.#isPaused) this.#held.push('end');
    else this.#hand('end');
  }

  /** The server, or the end of the connection, has broken it off: what is held is dropped. For its connection alone. */
  break(): void {
    if (!this.#isClosed) this.#hand('end');
  }

  /** A window of small messages has tens of thousands of pieces, and to take the first one off moves all others. */
  #nextHeld(): Buffer | Headers | 'end' {
    const next = this.#held[this.#handed++]!;
    if (2 * this.#handed > this.#held.length) {
      this.#held.splice(0, this.#handed);
      this.#handed = 0;
    }
    return next;
  }

  #hand(what: Buffer | Headers | 'end'): void {
    if (what === 'end') {
      const listener = this.#listener;
      this.#close();
      listener.onClose();
    } else if (Buffer.isBuffer(what)) this.#handData(what);
    else this.#listener.onHeaders(what as Headers);
  }

  #handData(piece: Buffer): void {
    if (this.#heldBytes > 0) this.#heldBytes -= piece.length;
    this.#use(piece.length);
    this.#listener.onData(piece);
  }

  #use(bytes: number): void {
    this.#taken += bytes;
    if (this.#taken < this.window * REFILL_SHARE) return;
    this.connection.grant(this, this.#taken);
    this.#taken = 0;
  }

  /** Lets go of everything: whoever holds an ended stream holds nothing else. */
  #close(): void {
    this.#isClosed = true;
    this.#listener = NOBODY;
    this.#outgoing = [];
    this.#held = [];
    this.#handed = 0;
  }
}
