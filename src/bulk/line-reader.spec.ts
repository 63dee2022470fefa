import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import fc from 'fast-check';
import { LineReader, type Line, type NoLine } from './line-reader.js';

const MAX = 40;
const BOUNDS = { maxBytes: MAX, stallMs: 60_000 };

/** Numbers and texts of the lines, and why there is no other. */
async function read(reader: LineReader): Promise<(readonly [number, string] | NoLine)[]> {
  const lines: (readonly [number, string] | NoLine)[] = [];
  for (;;) {
    const next: Line | NoLine = await reader.next();
    if (typeof next === 'string') return [...lines, next];
    lines.push([next.number, Buffer.from(next.bytes).toString('latin1')]);
  }
}

function bodyOf(...pieces: readonly (string | Buffer)[]): Readable {
  return Readable.from(
    pieces.map((piece) => Buffer.from(piece as string)),
    { objectMode: false },
  );
}

it.each<[string, string[], unknown[]]>([
  ['no body', [], ['complete']],
  ['a last line without an end', ['a\nb'], [[1, 'a'], [2, 'b'], 'complete']],
  ['empty lines, which count', ['\n\na\n\r\nb\n'], [[3, 'a'], [5, 'b'], 'complete']],
  ['lines of Windows, cut anywhere', ['a\r', '\nb', '\r\n', 'c\r'], [[1, 'a'], [2, 'b'], [3, 'c'], 'complete']],
  ['the longest line', ['x'.repeat(MAX), '\r\n'], [[1, 'x'.repeat(MAX)], 'complete']],
  ['a line that is too long', ['a\n', 'x'.repeat(MAX), 'x\nb\n'], [[1, 'a'], 'line-too-long']],
  ['a line that is too long and has not ended', ['x'.repeat(MAX), 'xx'], ['line-too-long']],
  ['a last line that is too long', ['x'.repeat(MAX + 1)], ['line-too-long']],
])('reads %s', async (_title, pieces, expected) => {
  expect(await read(new LineReader(bodyOf(...pieces), BOUNDS))).toEqual(expected);
});

it('finds the same lines however the body is cut', async () => {
  const line = fc.array(fc.constantFrom('a', '\u00e4', '\r', ' '), { maxLength: 30 });
  const body = fc.array(line, { maxLength: 12 }).map((lines) => lines.map((each) => each.join('')).join('\n'));
  await fc.assert(
    fc.asyncProperty(body, fc.array(fc.nat(200), { maxLength: 8 }), async (text, places) => {
      const bytes = Buffer.from(text, 'latin1');
      const cuts = [...new Set([0, ...places.filter((each) => each < bytes.length), bytes.length])].sort(
        (a, b) => a - b,
      );
      const pieces = cuts.slice(1).map((end, i) => bytes.subarray(cuts[i], end));
      const expected = text
        .split('\n')
        .map((each, i) => [i + 1, each.replace(/\r$/, '')] as const)
        .filter(([, each]) => each !== '');
      expect(await read(new LineReader(bodyOf(...pieces), BOUNDS))).toEqual([...expected, 'complete']);
    }),
    { numRuns: 60 },
  );
});

it('gives a sender that stalls in a line the time that it gives for a line', async () => {
  const body = new PassThrough();
  const reader = new LineReader(body, { maxBytes: MAX, stallMs: 30 });
  body.write('a\n');
  expect(await reader.next()).toMatchObject({ number: 1 });
  const begun = reader.next();
  body.write('b');
  expect(await begun).toBe('stalled');
});

it('ends a wait when nobody wants the line, or nobody sends it', async () => {
  const [stopped, left, cut] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const readers = [stopped, left, cut].map((body) => new LineReader(body, BOUNDS));
  const waits = readers.map((reader) => reader.next());
  for (const body of [stopped, left, cut]) body.write('half a line');
  readers[0]!.stop();
  readers[1]!.leave();
  cut.destroy();
  expect(await Promise.all(waits)).toEqual(['stopped', 'gone', 'gone']);
  expect(await Promise.all(readers.map((reader) => reader.next()))).toEqual(['stopped', 'gone', 'gone']);
});

it('leaves in the body what nobody has asked for', async () => {
  let made = 0;
  const body = new Readable({
    highWaterMark: 10,
    read() {
      made++;
      this.push('0123456789\n');
    },
  });
  const reader = new LineReader(body, BOUNDS);
  for (let i = 0; i < 5; i++) await reader.next();
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
  const before = made;
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
  expect([made, made < 10]).toEqual([before, true]);
  body.destroy();
});

it('leaves the rest of the body to who drops it', async () => {
  const body = bodyOf(...Array<string>(50).fill('x'.repeat(16 * 1024)));
  const reader = new LineReader(body, BOUNDS);
  expect(await reader.next()).toBe('line-too-long');
  reader.close();
  body.resume();
  await once(body, 'end');
});
