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
}

/** One question and one answer. */
export class UnaryCall implements Call {
  #stream: ClientHttp2Stream | null = null;
  #connection: CallConnection | null = null;
  #parts: Buffer[] = [];
  #bytes = 0;
  #isEnded = false;
  readonly #deadline: number;
  readonly #timer: NodeJS.Timeout;

  constructor(
    private readonly request: UnaryRequest,
    private readonly resolve: (answer: Buffer) => void,
    private readonly reject: (error: Error) => void,
  ) {
    this.#deadline = performance.now() + request.timeoutMs;
    // An answer that has arrived while the event loop was busy is read before the immediate.
    this.#timer = setTimeout(() => setImmediate(() => this.#expire()), request.timeoutMs);
  }

  get isEnded(): boolean {
    return this.#isEnded;
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
        else if (status.code !== codes.OK) this.fail(this.request.refusal(status.code, status.details));
        else this.#succeed();
      },
    });
    stream.end(this.request.message);
  }

  fail(error: Error): void {
    if (!this.#end()) return;
    this.#stream?.close(constants.NGHTTP2_CANCEL);
    this.reject(error);
  }

  #take(chunk: Buffer): void {
    if (this.#isEnded) return;
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
    if (this.#end()) this.resolve(answer.subarray(HEAD_BYTES));
  }

  #expire(): void {
    const seconds = this.request.timeoutMs / 1000;
    const late = `Deadline exceeded after ${seconds.toFixed(3)}s`;
    // Before the stream is closed: a server counts a ping without an open stream against the client.
    this.#connection?.suspect();
    const details = this.#stream ? late : `${late}: No connection established`;
    this.fail(statusError(codes.DEADLINE_EXCEEDED, details));
  }

  #end(): boolean {
    if (this.#isEnded) return false;
    this.#isEnded = true;
    this.#parts = [];
    clearTimeout(this.#timer);
    return true;
  }
}
