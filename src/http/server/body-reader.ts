import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { ServiceError } from '../../errors/service-error.js';
import type { BodyBudget, OpenBody } from './body-budget.js';

/** Pieces of one body at most. A piece is a chunk of the client, or what one segment of TCP brought. */
export const MAX_PIECES = 1024;
/**
 * Bytes of a refused body that are still read when its length is known: the client hears its answer, and its connection
 * goes on. A client that is cut off while it sends may lose the answer.
 */
const MAX_SKIPPED_BYTES = 1024 * 1024;
const FIRST_BYTES = 1024;

export interface BodyLimits {
  /** Bytes of one body. */
  readonly maxBytes: number;
  /** Bytes of one body of routes that take more, by path. */
  readonly larger: ReadonlyMap<string, number>;
  readonly budget: BodyBudget;
}

/** Takes the body, or an error that refuses the request now and ends its connection. */
export type BodyTaker = (error: ServiceError | null, body?: Buffer | ServiceError) => void;

/** Called when a client leaves before its body has ended, with the bytes that came. */
export type AbortListener = (received: number) => void;

/** Bytes that the body of a request may have. It is asked only for a body that is large. */
function mostOf({ url = '' }: IncomingMessage, { maxBytes, larger }: Omit<BodyLimits, 'budget'>): number {
  return larger.get(url.split('?', 1)[0]!) ?? maxBytes;
}

/** Tells a client that waits with its body to send it, unless it says itself that the body is too large. */
export function continueBodies(server: Server, limits: Omit<BodyLimits, 'budget'>): void {
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    const bytes = Number(request.headers['content-length']);
    if (!(bytes > limits.maxBytes && bytes > mostOf(request, limits))) writeContinue(response);
    server.emit('request', request, response);
  });
}

/**
 * Writes 100 (Continue) when the earlier answers of the connection have gone. Until then Node would keep it with this
 * answer, and would later put it behind the answer's head: a Node 20 defect for a body that is a Buffer.
 */
function writeContinue(response: ServerResponse): void {
  if (response.socket !== null) return void response.writeContinue();
  response.once('socket', () => {
    if (!response.headersSent) response.writeContinue();
  });
}

/**
 * Reads one body into one buffer that grows with it, so that a body takes no more than twice its bytes however small its
 * pieces are. A body that is refused although its end is known is taken as its error: bodyOf() throws it.
 */
export class BodyReader implements OpenBody {
  #bytes: Buffer = EMPTY;
  #length = 0;
  #pieces = 0;
  /** Bytes that Content-Length tells; NaN for chunks. */
  readonly #declared: number;
  readonly #onData = (piece: Buffer): void => this.#take(piece);
  readonly #onEnd = (): void => this.#settle(null, this.#bytes.subarray(0, this.#length));
  readonly #onError = (): void => this.#leave();

  constructor(
    private readonly payload: IncomingMessage,
    private readonly limits: BodyLimits,
    private readonly done: BodyTaker,
    private readonly onAbort: AbortListener,
  ) {
    this.#declared = Number(payload.headers['content-length'] ?? NaN);
    if (this.#isTooLarge(this.#declared)) this.#refuse(new ServiceError('tooLarge'));
    else payload.on('data', this.#onData).on('end', this.#onEnd).on('error', this.#onError);
  }

  get capacity(): number {
    return this.#bytes.length;
  }

  giveUp(): void {
    this.#refuse(new ServiceError('overloaded', 'other bodies need the room of this one, which came too slowly'));
  }

  #take(piece: Buffer): void {
    const length = this.#length + piece.length;
    if (this.#isTooLarge(length)) return this.#refuse(new ServiceError('tooLarge'));
    if (++this.#pieces > MAX_PIECES) {
      return this.#refuse(new ServiceError('invalidRequest', `A body may come in ${MAX_PIECES} pieces at most`));
    }
    // Node gives every piece memory of its own, so a body in one piece needs no copy.
    if (this.#length === 0) this.#bytes = piece;
    else this.#append(piece, length);
    this.#length = length;
    // A whole body is about to be used up; only a body that waits for the rest counts.
    if (length !== this.#declared) this.limits.budget.hold(this);
  }

  #isTooLarge(bytes: number): boolean {
    return bytes > this.limits.maxBytes && bytes > mostOf(this.payload, this.limits);
  }

  #append(piece: Buffer, length: number): void {
    if (length > this.#bytes.length) {
      const most = this.#declared || mostOf(this.payload, this.limits);
      const grown = Buffer.allocUnsafeSlow(Math.min(most, Math.max(FIRST_BYTES, 2 * length)));
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    piece.copy(this.#bytes, this.#length);
  }

  #refuse(error: ServiceError): void {
    // A client that waits for 100 (Continue) may send its next request instead of the body: nobody knows which comes.
    const comes = this.#declared <= MAX_SKIPPED_BYTES && this.payload.headers.expect === undefined;
    if (comes && error.code === 'tooLarge') this.#settle(null, error);
    else this.#settle(error);
    // What still comes is read and dropped: by Node until the body ends, or until the connection does.
    this.payload.on('error', () => undefined).resume();
  }

  #leave(): void {
    this.onAbort(this.#length);
    // Nobody is left to read the answer.
    this.#settle(new ServiceError('invalidRequest', 'The body ended too early'));
  }

  #settle(error: ServiceError | null, body?: Buffer | ServiceError): void {
    this.limits.budget.release(this);
    this.payload.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#onError);
    this.#bytes = EMPTY;
    this.done(error, body);
  }
}

const EMPTY = Buffer.alloc(0);
