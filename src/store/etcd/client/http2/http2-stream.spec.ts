import { Http2Stream } from './http2-stream.js';

const WINDOW = 1_000;

describe('a stream', () => {
  it('tells whoever listens to it too late that it has ended', () => {
    const lines = { send: () => undefined, grant: () => undefined, reset: () => undefined };
    const stream = new Http2Stream(1, lines, WINDOW, WINDOW);
    // As when its headers are what the socket does not take any more.
    stream.break();
    let ends = 0;
    stream.listen({ onHeaders: () => undefined, onData: () => undefined, onClose: () => ends++ });
    stream.break();
    expect(ends).toBe(1);
  });

  it('hands out what it holds in order, and a window of small pieces in less than a second', () => {
    const lines = { send: () => undefined, grant: () => undefined, reset: () => undefined };
    const count = 100_000;
    const stream = new Http2Stream(1, lines, 4 * count, WINDOW);
    const piece = Buffer.alloc(4);
    const handed: number[] = [];
    const onData = (data: Buffer): void => {
      handed.push(data.readUInt32BE());
      if (handed.length % 10_000 === 0) stream.pause();
    };
    let ends = 0;
    stream.listen({ onHeaders: () => undefined, onData, onClose: () => ends++ });
    stream.pause();
    for (let i = 0; i < count; i++) {
      piece.writeUInt32BE(i);
      stream.receive(piece);
    }
    stream.finish();
    const before = process.cpuUsage();
    while (ends === 0) stream.resume();
    expect(process.cpuUsage(before).user).toBeLessThan(1_000_000);
    expect([handed.length, handed.every((value, i) => value === i)]).toEqual([count, true]);
  });

  it.each([
    ['as it comes', false],
    ['while it is paused', true],
  ])('allows the server as much again as padding has used up: %s', (_, isPaused) => {
    let granted = 0;
    const lines = {
      send: () => undefined,
      grant: (_: Http2Stream, bytes: number) => (granted += bytes),
      reset: () => undefined,
    };
    const stream = new Http2Stream(1, lines, WINDOW, WINDOW);
    if (isPaused) stream.pause();
    for (let i = 0; i < 10; i++) stream.pass(WINDOW / 10);
    expect(granted).toBeGreaterThan(WINDOW / 2);
  });
});
