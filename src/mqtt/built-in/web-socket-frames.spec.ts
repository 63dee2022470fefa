import fc from 'fast-check';
import { FrameWatch } from './web-socket-frames.js';

function frame(first: number, length: number, isLong = false): Buffer {
  const mask = Buffer.from([1, 2, 3, 4]);
  const long = Buffer.alloc(8);
  long.writeBigUInt64BE(BigInt(length));
  const size = isLong ? [127, ...long] : length < 126 ? [length] : [126, length >> 8, length & 0xff];
  return Buffer.concat([
    Buffer.from([first, 0x80 | (size[0] as number), ...size.slice(1)]),
    mask,
    Buffer.alloc(length),
  ]);
}

const BINARY = 0x82;
const PING = 0x89;
const message = fc
  .record({
    lengths: fc.array(fc.nat(70_000), { minLength: 1, maxLength: 4 }),
    isLong: fc.boolean(),
    ping: fc.boolean(),
  })
  .map(({ lengths, isLong, ping }) =>
    lengths.flatMap((length, i) => {
      const isLast = i === lengths.length - 1;
      const first = (isLast ? 0x80 : 0) | (i === 0 ? 2 : 0);
      // A control frame may come between the fragments of a message.
      return [...(ping ? [frame(PING, 5)] : []), frame(first, length, isLong || length > 0xffff)];
    }),
  );

describe('FrameWatch', () => {
  it('holds nothing once all messages are complete, however they are cut', () =>
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 3 }),
        fc.array(fc.integer({ min: 1, max: 9_000 })),
        (all, cuts) => {
          const frames = new FrameWatch();
          const bytes = Buffer.concat(all.flat());
          let at = 0;
          for (let i = 0; at < bytes.length; i++) {
            const end = Math.min(bytes.length, at + (cuts[i % cuts.length] ?? bytes.length));
            frames.read(bytes.subarray(at, end));
            at = end;
            if (at === bytes.length - 1) expect(frames.heldBytes).toBeGreaterThan(0);
          }
          expect(frames.heldBytes).toBe(0);
        },
      ),
      { numRuns: 50 },
    ));

  it('tells that another message has begun', () => {
    const frames = new FrameWatch();
    const whole = frame(BINARY, 10);
    expect(frames.read(whole.subarray(0, 1))).toBe(false);
    expect(frames.heldBytes).toBeGreaterThan(0);
    expect(frames.read(whole.subarray(1, 9))).toBe(false);
    expect(frames.read(Buffer.concat([whole.subarray(9), whole.subarray(0, 9)]))).toBe(true);
    expect(frames.heldBytes).toBeGreaterThan(3);
    expect(frames.read(whole.subarray(9))).toBe(true);
    expect(frames.heldBytes).toBe(0);
  });

  it('counts what came of a message in fragments, pings between them or not', () => {
    const frames = new FrameWatch();
    frames.read(frame(0x02, 1000));
    const before = frames.heldBytes;
    expect(before).toBeGreaterThan(1000);
    expect(frames.read(frame(PING, 5))).toBe(false);
    frames.read(frame(0x00, 1000));
    expect(frames.heldBytes).toBeGreaterThan(before + 1000);
    expect(frames.read(frame(0x80, 0))).toBe(true);
    expect(frames.heldBytes).toBe(0);
  });
});
