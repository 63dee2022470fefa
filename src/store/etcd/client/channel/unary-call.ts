import { status as codes } from '@grpc/grpc-js';
import type { Http2Stream } from '../http2/http2-stream.js';
import type { Call, CallConnection, Refusal } from './call.js';
import { followAnswer } from './grpc-answer.js';
import { WholeMessage } from './whole-message.js';
import { dropped, statusError } from './grpc-status.js';

/** Bytes of an answer: 100 values of the largest size that etcd takes fit. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

export interface UnaryRequest {
  /** With its head. */
  readonly message: Buffer;
  readonly timeoutMs: number;
  readonly refusal: Refusal;
  readonly resolve: (answer: Buffer) => void;
  readonly reject: (error: Error) => void;
}

/** One question and one answer. */
export class UnaryCall implements Call {
  /** null: it has ended, and holds nothing of it. */
  #request: UnaryRequest | null;
  #stream: Http2Stream | null = null;
  #connection: CallConnection | null = null;
  readonly #answer = new WholeMessage(MAX_ANSWER_BYTES);
  readonly #deadline: number;
  readonly #timer: NodeJS.Timeout;

  constructor(request: UnaryRequest) {
    this.#request = request;
    const { timeoutMs } = request;
    this.#deadline = performance.now() + timeoutMs;
    // An answer that has arrived while the event loop was busy is read before the immediate.
    this.#timer = setTimeout(() => setImmediate(() => this.#expire(timeoutMs)), timeoutMs);
  }

  get isEnded(): boolean {
    return this.#request === null;
  }

  leftMs(): number {
    return this.#deadline - performance.now();
  }

  start(stream: Http2Stream, connection: CallConnection): void {
    this.#stream = stream;
    this.#connection = connection;
    followAnswer(stream, {
      onData: (piece) => this.#take(piece),
      onStatus: (status) => {
        if (!status) this.fail(dropped(connection.reason));
        else if (status.code !== codes.OK) this.#refuse(status.code, status.details);
        else this.#succeed();
      },
    });
    if (this.#request) stream.end(this.#request.message);
  }

  fail(error: Error): void {
    const stream = this.#stream;
    const request = this.#end();
    if (!request) return;
    stream?.cancel();
    request.reject(error);
  }

  #refuse(code: codes, details: string): void {
    if (this.#request) this.fail(this.#request.refusal(code, details));
  }

  #take(piece: Buffer): void {
    if (this.isEnded) return;
    try {
      this.#answer.add(piece);
    } catch (error) {
      this.fail(error as Error);
    }
  }

  #succeed(): void {
    let answer;
    try {
      answer = this.#answer.whole();
    } catch (error) {
      return this.fail(error as Error);
    }
    this.#end()?.resolve(answer);
  }

  #expire(timeoutMs: number): void {
    const late = `Deadline exceeded after ${(timeoutMs / 1000).toFixed(3)}s`;
    // Before the stream is closed: a server counts a ping without an open stream against the client.
    this.#connection?.suspect();
    const details = this.#stream ? late : `${late}: No connection established`;
    this.fail(statusError(codes.DEADLINE_EXCEEDED, details));
  }

  /** The request, unless it has ended before. */
  #end(): UnaryRequest | null {
    const request = this.#request;
    this.#request = null;
    this.#stream = null;
    this.#connection = null;
    this.#answer.drop();
    clearTimeout(this.#timer);
    return request;
  }
}
