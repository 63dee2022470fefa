import fc from 'fast-check';
import { FLAG, FRAME, frameOf, headOf } from './frame.js';
import { FrameReader } from './frame-reader.js';

type Seen = { type: number; stream: number; bytes: string; isLast: boolean };

/** The frames that a reader hands out, with the pieces of data put together again. */
function readAll(pieces: readonly Buffer[]): Seen[] {
  const seen: Seen[] = [];
  let open: Seen | null = null;
  const reader = new FrameReader({
    onData: ({ stream }, piece, isLast, paddingBytes) => {
      if (open?.stream !== stream) seen.push((open = { type: FRAME.data, stream, bytes: '', isLast: false }));
      open.bytes += piece.toString('hex');
      open.isLast = isLast;
      if (isLast || paddingBytes > 0) open = null;
    },
    onFrame: ({ type, flags, stream }, payload) => {
      open = null;
      seen.push({ type, stream, bytes: payload.toString('hex'), isLast: (flags & FLAG.end) !== 0 });
    },
  });
  for (const piece of pieces) {
    // Like the buffer of a socket, it is used again.
    const again = Buffer.from(piece);
    reader.take(again);
    again.fill(0);
  }
  return seen;
}

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

const frame = fc
  .record({
    type: fc.integer({ min: 0, max: 12 }),
    isLast: fc.boolean(),
    stream: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    payload: fc.uint8Array({ maxLength: 60 }),
  })
  .map(({ type, isLast, stream, payload }) =>
    frameOf({ type, flags: isLast ? FLAG.end : 0, stream }, Buffer.from(payload)),
  );

describe('FrameReader', () => {
  it('hands out the same frames wherever the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (all, sizes) => {
          const bytes = Buffer.concat(all);
          expect(readAll(cut(bytes, sizes))).toEqual(readAll([bytes]));
        },
      ),
    );
  });

  it('cuts padding off, wherever the frame is cut', () => {
    const padded = frameOf(
      { type: FRAME.data, flags: FLAG.padded | FLAG.end, stream: 3 },
      Buffer.from([3, 1, 2, 0, 0, 0]),
    );
    const expected = [{ type: FRAME.data, stream: 3, bytes: '0102', isLast: true }];
    expect([readAll([padded]), readAll(cut(padded, [1]))]).toEqual([expected, expected]);
  });

  it.each([
    ['a frame of 16,385 bytes', headOf({ type: FRAME.data, flags: 0, stream: 1 }, 16_385), 'of 16384 allowed'],
    [
      'more padding than there is frame',
      frameOf({ type: FRAME.data, flags: FLAG.padded, stream: 1 }, Buffer.from([6, 0])),
      'padding',
    ],
    [
      'padding without its length',
      frameOf({ type: FRAME.data, flags: FLAG.padded, stream: 1 }, Buffer.alloc(0)),
      'padding',
    ],
  ])('refuses %s', (_, bytes, reason) => {
    expect(() => readAll([bytes])).toThrow(expect.objectContaining({ message: expect.stringContaining(reason) }));
  });
});
