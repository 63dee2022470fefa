import { setImmediate as turn } from 'node:timers/promises';
import { ServiceError } from '../errors/service-error.js';
import type { TextStream } from '../http/text-stream.js';
import { Fifo } from '../resilience/fifo.js';
import { Signal } from '../resilience/signal.js';
import { endText, resultText, type LineCounts, type LineResult } from './bulk-texts.js';
import type { Line, LineReader, NoLine } from './line-reader.js';
import type { LineChange, ParsedLine } from './parse-line.js';

/** Bytes of the lines that are under way or whose results wait, beyond which no further line is read. */
const MAX_BYTES = 1024 * 1024;
/** Characters of results that are written at once. */
const MAX_WRITE = 16 * 1024;
/** Lines after which others get a turn of the event loop: lines that are refused wait for nothing. */
const LINES_A_TURN = 64;

/** Why a run has ended. `too-slow`: its client did not read. `gone`: its client has left. */
export type RunEnd = Exclude<NoLine, 'stopped'> | StopReason | 'too-slow';
/** Why a run stops before its body is over. */
export type StopReason = keyof typeof STOP_MESSAGES;

/** Of what ends a run although lines may still come. */
const STOP_MESSAGES = {
  draining: 'The node is shutting down; send the rest to another one',
  forbidden: 'The credentials have ended, or were revoked',
  'lease-ended': 'The lease has ended; take another one for the rest',
  'lease-not-yours': 'The lease belongs to another principal',
  'storage-unavailable': 'The storage does not answer; send the rest later',
  'storage-full': 'The storage is full; send the rest when there is room',
  failed: 'The node could not go on; send the rest again',
} as const;

/** What becomes of lines. */
export interface LineHandler {
  /** Reads a line. */
  parse(bytes: Uint8Array): ParsedLine;
  /**
   * Lets a line in, as soon as there is room for it. It rejects for defects alone.
   * @param change null: the line has none
   * @returns why it may not; null: it may
   */
  admit(change: LineChange | null, stop: Stop): ServiceError | null | Promise<ServiceError | null>;
  /** Carries a line out. Called while the bytes of the line count; it rejects for defects alone. */
  begin(line: Line, id: string | null, change: LineChange): () => Promise<LineResult>;
  /** Why the lines after one with this error need not be tried; null: they are. */
  stopOf(error: ServiceError): StopReason | null;
}

/** Whether a wait is in vain. */
export interface Stop {
  readonly isStopped: boolean;
  /** Is notified when it is. */
  readonly signal: Signal;
}

export interface RunParts {
  readonly reader: LineReader;
  readonly answers: Pick<TextStream, 'write' | 'end'>;
  readonly handler: LineHandler;
  /** Lines that may be under way, or wait with their results, at this time. */
  readonly maxLines: () => number;
  /** Bytes of a line, for what the client is told. */
  readonly maxLineBytes: number;
  /** Seconds for a whole line, for the same. */
  readonly stallSeconds: number;
  /** Is told of defects. */
  readonly onError: (error: unknown) => void;
}

/** A line that was read and whose result is not written yet. */
interface OpenLine {
  readonly bytes: number;
  /** null: it is under way. */
  result: string | null;
}

/**
 * Carries out the lines of one body, several at once, and writes their results in the order of the lines. It reads on only
 * while there is room for another line, and there is room only as results are taken: so a client that does not read its
 * answers is not read either.
 */
export class BulkRun {
  readonly counts: LineCounts = { lines: 0, changed: 0, replayed: 0, refused: 0 };
  readonly #open = new Fifo<OpenLine>();
  readonly #ofShadows = new Map<string, Promise<void>>();
  readonly #change = new Signal();
  readonly #stop: Stop & { isStopped: boolean } = { isStopped: false, signal: new Signal() };
  /** Lines that were read and whose results the client has not taken. */
  #lines = 0;
  /** Bytes of them. */
  #bytes = 0;
  #end: RunEnd | null = null;
  #isRead = false;

  constructor(private readonly parts: RunParts) {}

  /** Reads no further line. Those under way are carried out and answered. No errors. */
  stop(reason: RunEnd): void {
    this.#end ??= reason;
    this.parts.reader.stop();
    this.#stop.isStopped = true;
    this.#stop.signal.notify();
    this.#change.notify();
  }

  /** Resolves when all is written that will be. It never rejects. */
  async run(): Promise<RunEnd> {
    const written = this.#write();
    try {
      await this.#read();
    } catch (error) {
      this.parts.onError(error);
      this.stop('failed');
    }
    this.#isRead = true;
    this.#change.notify();
    await written;
    const end = this.#end ?? 'complete';
    this.parts.answers.end(endText(end, this.#messageOf(end), this.counts));
    return end;
  }

  async #read(): Promise<void> {
    const { reader, maxLines } = this.parts;
    for (let read = 1; ; read++) {
      const hasRoom = (): boolean =>
        this.#end !== null || (this.#lines < maxLines() && (this.#bytes < MAX_BYTES || this.#lines === 0));
      if (!hasRoom()) await this.#change.until(hasRoom);
      if (this.#end !== null) return;
      const next = reader.next();
      const line = next instanceof Promise ? await next : next;
      if (typeof line === 'string') {
        if (line !== 'stopped') this.#end ??= line;
        return;
      }
      await this.#take(line);
      if (read % LINES_A_TURN === 0) await turn();
    }
  }

  async #take(line: Line): Promise<void> {
    const { handler } = this.parts;
    const parsed = handler.parse(line.bytes);
    const { id, change } = parsed;
    const open: OpenLine = { bytes: line.bytes.length, result: null };
    this.#open.push(open);
    this.#lines++;
    this.#bytes += open.bytes;
    const settle = (result: LineResult): void => this.#settle(open, line.number, id, result);
    const isFault = change instanceof ServiceError;
    let begin: (() => Promise<LineResult>) | null;
    let refusal: ServiceError | null;
    try {
      // Its bytes are used up before anything is waited for.
      begin = isFault ? null : handler.begin(line, id, change);
      const admitted = handler.admit(isFault ? null : change, this.#stop);
      refusal = admitted instanceof Promise ? await admitted : admitted;
    } catch (error) {
      // The end of the answer waits for the results of all lines.
      settle(new ServiceError('internal'));
      throw error;
    }
    if (isFault) settle(change);
    else if (refusal !== null) settle(refusal);
    else this.#begin(change, begin!, settle);
  }

  /** Lines of one shadow are carried out one after the other, whatever each has to wait for. */
  #begin({ thing, shadow }: LineChange, begin: () => Promise<LineResult>, settle: (result: LineResult) => void): void {
    const name = shadow === null ? thing : `${thing}/${shadow}`;
    const before = this.#ofShadows.get(name);
    const work = async (): Promise<void> => {
      try {
        settle(await begin());
      } catch (error) {
        this.parts.onError(error);
        settle(new ServiceError('internal'));
        this.stop('failed');
      }
      if (this.#ofShadows.get(name) === done) this.#ofShadows.delete(name);
    };
    const done: Promise<void> = before === undefined ? Promise.resolve().then(work) : before.then(work);
    this.#ofShadows.set(name, done);
  }

  #settle(open: OpenLine, line: number, id: string | null, result: LineResult): void {
    const { counts } = this;
    open.result = resultText(line, id, result);
    counts.lines++;
    if (result instanceof ServiceError) {
      counts.refused++;
      const stop = this.parts.handler.stopOf(result);
      if (stop !== null) this.stop(stop);
    } else {
      counts.changed++;
      if (result.isReplayed) counts.replayed++;
    }
    this.#change.notify();
  }

  /** Writes results as they come, until there will be no more. It never rejects. */
  async #write(): Promise<void> {
    const isReady = (): boolean => this.#isNextDone() || (this.#isRead && this.#open.size === 0);
    for (;;) {
      if (!isReady()) await this.#change.until(isReady);
      if (!this.#isNextDone()) return;
      const { text, lines, bytes } = this.#results();
      const written = this.parts.answers.write(text);
      const isTaken = typeof written === 'boolean' ? written : await written;
      if (!isTaken) return this.#abandon();
      this.#lines -= lines;
      this.#bytes -= bytes;
      this.#change.notify();
    }
  }

  /** Nobody takes the results, also when all lines have been read. */
  #abandon(): void {
    this.stop('too-slow');
    if (this.#end === 'complete') this.#end = 'too-slow';
  }

  #isNextDone(): boolean {
    return (this.#open.peek()?.result ?? null) !== null;
  }

  /** Results of the first lines, as far as all of them are done. */
  #results(): { readonly text: string; readonly lines: number; readonly bytes: number } {
    const results = { text: '', lines: 0, bytes: 0 };
    while (results.text.length < MAX_WRITE && this.#isNextDone()) {
      const { bytes, result } = this.#open.take()!;
      results.text += result!;
      results.lines++;
      results.bytes += bytes;
    }
    return results;
  }

  #messageOf(end: RunEnd): string | null {
    const { reader, maxLineBytes, stallSeconds } = this.parts;
    if (end === 'complete') return null;
    if (end === 'line-too-long') return `Line ${reader.number} is longer than ${maxLineBytes} bytes; divide its change`;
    if (end === 'stalled') return `No whole line came for ${stallSeconds} s; send the rest again`;
    if (end === 'too-slow' || end === 'gone') return 'The client did not read its results';
    return STOP_MESSAGES[end];
  }
}
