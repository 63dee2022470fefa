import { status as codes } from '@grpc/grpc-js';
import type { Http2Stream } from '../http2/http2-stream.js';
import type { Call, CallConnection, Refusal } from './call.js';
import { followAnswer } from './grpc-answer.js';
import { MessageAssembler } from './grpc-message.js';
import { dropped, statusError } from './grpc-status.js';

/** Bytes of one message: etcd cuts the answers of a watch at the size of a request when asked for fragments. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
/** Messages that wait for the connection. */
const MAX_WAITING = 16;

export interface StreamEvents {
  /**
   * A whole message without its head. The view is valid until the call returns: what is kept has to be copied. An error
   * that it throws ends the stream.
   */
  onMessage(message: Buffer): void;
  /** Called once; never after cancel(). A stream that the server ends in order has an error too. */
  onEnd(error: Error): void;
}

/** Messages both ways until one side ends. It has no deadline: its owner watches for life. */
export class BidiStream implements Call {
  #stream: Http2Stream | null = null;
  #waiting: Buffer[] = [];
  #isPaused = false;
  #isEnded = false;
  #isCancelled = false;
  readonly #assembler: MessageAssembler;

  constructor(
    private readonly refusal: Refusal,
    private readonly events: StreamEvents,
  ) {
    this.#assembler = new MessageAssembler(MAX_MESSAGE_BYTES, (message) => events.onMessage(message));
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  leftMs(): null {
    return null;
  }

  /** Sends a message that has its head. After the end it has no effect; before the connection is there it waits. */
  write(message: Buffer): void {
    if (this.#isEnded) return;
    if (this.#stream) this.#stream.write(message);
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(message);
    else this.fail(statusError(codes.RESOURCE_EXHAUSTED, `${MAX_WAITING} messages wait for a connection already`));
  }

  /** Leaves further messages at the server. Those that have arrived with the present one still come. */
  pause(): void {
    this.#isPaused = true;
    this.#stream?.pause();
  }

  /** Goes on after pause(). */
  resume(): void {
    this.#isPaused = false;
    this.#stream?.resume();
  }

  /** Ends it without a further event. */
  cancel(): void {
    this.#isCancelled = true;
    this.#end();
  }

  start(stream: Http2Stream, connection: CallConnection): void {
    this.#stream = stream;
    followAnswer(stream, {
      onData: (piece) => this.#take(piece),
      onStatus: (status) => {
        if (!status) this.fail(dropped(connection.reason));
        else if (status.code !== codes.OK) this.fail(this.refusal(status.code, status.details));
        else this.fail(statusError(codes.UNAVAILABLE, 'the stream ended'));
      },
    });
    if (this.#isPaused) stream.pause();
    for (const message of this.#waiting) stream.write(message);
    this.#waiting = [];
  }

  fail(error: Error): void {
    if (!this.#end()) return;
    // Later: whoever opens a stream does not have it yet when that fails at once.
    queueMicrotask(() => {
      if (!this.#isCancelled) this.events.onEnd(error);
    });
  }

  #take(piece: Buffer): void {
    try {
      this.#assembler.add(piece);
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #end(): boolean {
    if (this.#isEnded) return false;
    this.#isEnded = true;
    this.#assembler.stop();
    this.#waiting = [];
    this.#stream?.cancel();
    return true;
  }
}
