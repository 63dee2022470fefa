import { Readable } from 'node:stream';
import { ServiceError } from '../errors/service-error.js';
import type { LineResult } from './bulk-texts.js';
import { BulkRun, type LineHandler } from './bulk-run.js';
import { LineReader } from './line-reader.js';
import type { LineChange } from './parse-line.js';

/** A run over lines that are names of things; `!` refuses one, and `#` is none. */
class Rig {
  /** Lines whose change has begun, in their order. */
  readonly begun: number[] = [];
  readonly written: string[] = [];
  ended = '';
  readonly errors: unknown[] = [];
  readonly #finish = new Map<number, (result: LineResult) => void>();
  #take: ((isTaken: boolean) => void) | null = null;
  isTaken = true;
  readonly run: BulkRun;

  constructor(lines: Iterable<string>, options: { max?: number; handler?: Partial<LineHandler> } = {}) {
    const body = Readable.from(
      (function* () {
        for (const line of lines) yield Buffer.from(`${line}\n`);
      })(),
      { objectMode: false, highWaterMark: 16 },
    );
    const write = (text: string): boolean | Promise<boolean> => {
      this.written.push(text);
      return this.isTaken || new Promise<boolean>((resolve) => (this.#take = resolve));
    };
    this.run = new BulkRun({
      reader: new LineReader(body, { maxBytes: 100, stallMs: 60_000 }),
      answers: { write, end: (text) => void (this.ended = text) },
      handler: { ...this.#handler(), ...options.handler },
      maxLines: () => options.max ?? 4,
      ...{ maxLineBytes: 100, stallSeconds: 60 },
      onError: (error) => void this.errors.push(error),
    });
  }

  /** Ends the change of a line. */
  finish(line: number, result: LineResult = { version: line, revision: 10 * line, isReplayed: false }): void {
    this.#finish.get(line)!(result);
  }

  /** The client reads what waits for it, or nothing any more. */
  take(isTaken = true): void {
    this.#take!(isTaken);
  }

  /** Numbers of the lines whose results are written. */
  get answered(): number[] {
    return [...this.written.join('').matchAll(/"line":(\d+)/g)].map(([, line]) => Number(line));
  }

  get end(): Record<string, unknown> {
    return (JSON.parse(this.ended) as { end: Record<string, unknown> }).end;
  }

  #handler(): LineHandler {
    return {
      parse: (bytes) => {
        const name = Buffer.from(bytes).toString();
        const change = { thing: name, shadow: null, update: { state: null } };
        return { id: null, change: name === '#' ? new ServiceError('invalidJson') : change };
      },
      admit: (change) => (change?.thing === '!' ? new ServiceError('notAllowed', 'it') : null),
      begin:
        ({ number }) =>
        () => {
          this.begun.push(number);
          return new Promise((resolve) => this.#finish.set(number, resolve));
        },
      stopOf: ({ code }) => (code === 'leaseEnded' ? 'lease-ended' : null),
    };
  }
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
};
const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `thing-${i}`);

it('writes results in the order of the lines, whichever is done first', async () => {
  const rig = new Rig(['a', 'b', '#', '!', 'c'], { max: 5 });
  const ended = rig.run.run();
  await turns();
  expect(rig.begun).toEqual([1, 2, 5]);
  rig.finish(2);
  rig.finish(5, { version: 1, revision: 7, isReplayed: true });
  await turns();
  expect(rig.answered).toEqual([]);
  rig.finish(1);
  expect(await ended).toBe('complete');
  expect(rig.answered).toEqual([1, 2, 3, 4, 5]);
  expect(rig.written.join('').split('\n')[4]).toBe('{"line":5,"version":1,"revision":7,"replayed":true}');
  expect(rig.end).toEqual({ reason: 'complete', lines: 5, changed: 3, replayed: 1, refused: 2 });
});

it('has as many lines under way as it may, and the next ones as results are taken', async () => {
  const rig = new Rig(many(10));
  const ended = rig.run.run();
  await turns();
  expect(rig.begun).toEqual([1, 2, 3, 4]);
  rig.isTaken = false;
  for (const line of [1, 2, 3, 4]) rig.finish(line);
  await turns();
  expect([rig.begun.length, rig.written.length]).toEqual([4, 1]);
  rig.isTaken = true;
  rig.take();
  await turns();
  expect(rig.begun.length).toBe(8);
  for (const line of [5, 6, 7, 8]) rig.finish(line);
  await turns();
  for (const line of [9, 10]) rig.finish(line);
  expect(await ended).toBe('complete');
  expect(rig.answered).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

it('carries out lines of one shadow one after the other', async () => {
  const rig = new Rig(['a', 'a', 'b', 'a']);
  const ended = rig.run.run();
  await turns();
  expect(rig.begun).toEqual([1, 3]);
  rig.finish(1);
  await turns();
  expect(rig.begun).toEqual([1, 3, 2]);
  rig.finish(2, new ServiceError('versionConflict'));
  await turns();
  expect(rig.begun).toEqual([1, 3, 2, 4]);
  rig.finish(3);
  rig.finish(4);
  expect(await ended).toBe('complete');
});

it.each([
  ['is stopped', (rig: Rig) => rig.run.stop('draining'), 'draining', 'send the rest to another one'],
  [
    'has a line after which none counts',
    (rig: Rig) => rig.finish(1, new ServiceError('leaseEnded')),
    'lease-ended',
    '',
  ],
])('answers what is under way, and reads no further line, when it %s', async (_title, stop, reason, message) => {
  const rig = new Rig(many(100));
  const ended = rig.run.run();
  await turns();
  stop(rig);
  for (const line of [1, 2, 3, 4]) rig.finish(line);
  expect(await ended).toBe(reason);
  expect([rig.begun, rig.answered]).toEqual([
    [1, 2, 3, 4],
    [1, 2, 3, 4],
  ]);
  expect(rig.end).toMatchObject({ reason, lines: 4, message: expect.stringContaining(message) as string });
});

it('ends when its client reads nothing, also after the last line', async () => {
  const rig = new Rig(many(2));
  rig.isTaken = false;
  const ended = rig.run.run();
  await turns();
  rig.finish(1);
  rig.finish(2);
  await turns();
  rig.take(false);
  expect(await ended).toBe('too-slow');
});

it('says that a line is too long, and which', async () => {
  const rig = new Rig(['#', 'x'.repeat(101), '#']);
  expect(await rig.run.run()).toBe('line-too-long');
  expect(rig.end).toMatchObject({ lines: 1, message: 'Line 2 is longer than 100 bytes; divide its change' });
});

const defect = (): never => {
  throw new TypeError('a defect');
};
it.each<[string, Partial<LineHandler>]>([
  ['in a change', { begin: () => () => Promise.reject(new TypeError('a defect')) }],
  ['before a change', { begin: defect }],
  ['in what lets a line in', { admit: defect }],
  ['in what lets a line in, later', { admit: () => Promise.reject(new TypeError('a defect')) }],
  ['in what reads a line', { parse: defect }],
])('ends after a defect %s, with all results', async (_title, handler) => {
  const rig = new Rig(many(3), { handler });
  expect(await rig.run.run()).toBe('failed');
  expect(rig.errors[0]).toBeInstanceOf(TypeError);
  expect(rig.end).toMatchObject({ reason: 'failed', lines: rig.answered.length, changed: 0 });
  expect(rig.written.join('')).not.toContain('a defect');
});

it('lets others have their turn between lines that wait for nothing', async () => {
  const rig = new Rig(
    (function* () {
      for (let i = 0; i < 5_000; i++) yield '#';
    })(),
  );
  let passed = 0;
  const timer = setInterval(() => passed++, 0);
  expect(await rig.run.run()).toBe('complete');
  clearInterval(timer);
  expect(rig.end).toMatchObject({ lines: 5_000, refused: 5_000 });
  expect(passed).toBeGreaterThan(0);
});

it('waits with a line that is beyond a limit, and not any longer when it is stopped', async () => {
  const excess = new ServiceError('rateExceeded', 'one a second');
  const admit = async (_: LineChange | null, stop: { signal: { next(): Promise<void> } }) => {
    await stop.signal.next();
    return excess;
  };
  const rig = new Rig(many(3), { handler: { admit } });
  const ended = rig.run.run();
  await turns();
  expect(rig.begun).toEqual([]);
  rig.run.stop('draining');
  expect(await ended).toBe('draining');
  expect(rig.answered).toEqual([1]);
});
