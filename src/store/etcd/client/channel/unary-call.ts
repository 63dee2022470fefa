import { constants, type ClientHttp2Stream } from 'node:http2';
import { status as codes } from '@grpc/grpc-js';
import type { Call, CallConnection, Refusal } from './call.js';
import { followAnswer, noAnswer } from './grpc-answer.js';
import { HEAD_BYTES, readHead } from './grpc-message.js';
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
  /**
   * null: it has ended. Node keeps an ended stream, and all that its listeners lead to, until the next full collection
   * of garbage: with the requests that would come about every hundred calls.
   */
  #request: UnaryRequest | null;
  #stream: ClientHttp2Stream | null = null;
  #connection: CallConnection | null = null;
  #parts: Buffer[] = [];
  #bytes = 0;
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

  start(stream: ClientHttp2Stream, connection: CallConnection): void {
    this.#stream = stream;
    this.#connection = connection;
    followAnswer(stream, {
      onData: (chunk) => this.#take(chunk),
      onStatus: (status) => {
        if (!status) this.fail(dropped(connection.reason));
        else if (status.code !== codes.OK) this.#refuse(status.code, status.details);
        else this.#succeed();
      },
    });
    stream.end(this.#request?.message);
  }

  fail(error: Error): void {
    const stream = this.#stream;
    const request = this.#end();
    if (!request) return;
    stream?.close(constants.NGHTTP2_CANCEL);
    request.reject(error);
  }

  #refuse(code: codes, details: string): void {
    if (this.#request) this.fail(this.#request.refusal(code, details));
  }

  #take(chunk: Buffer): void {
    if (this.isEnded) return;
    this.#parts.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes <= MAX_ANSWER_BYTES + HEAD_BYTES) return;
    const sizes = `${this.#bytes} vs ${MAX_ANSWER_BYTES}`;
    this.fail(statusError(codes.RESOURCE_EXHAUSTED, `Received message larger than max (${sizes})`));
  }

  #succeed(): void {
    const parts = this.#parts;
    const answer = parts.length === 1 ? parts[0]! : Buffer.concat(parts, this.#bytes);
    try {
      if (answer.length < HEAD_BYTES) throw noAnswer('the answer has no message');
      const length = readHead(answer, 0, MAX_ANSWER_BYTES);
      if (length !== answer.length - HEAD_BYTES) throw noAnswer('the answer is not one whole message');
    } catch (error) {
      return this.fail(error as Error);
    }
    this.#end()?.resolve(answer.subarray(HEAD_BYTES));
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
    this.#parts = [];
    clearTimeout(this.#timer);
    return request;
  }
}
