import { Duplex } from 'node:stream';
import { GatheredWrites } from './gathered-writes.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function recorded(options: { highWaterMark?: number; slow?: boolean } = {}) {
  const written: string[] = [];
  const taken: (() => void)[] = [];
  const stream = new Duplex({
    ...(options.highWaterMark === undefined ? {} : { highWaterMark: options.highWaterMark }),
    read() {},
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk.toString());
      if (options.slow) taken.push(done);
      else done();
    },
  });
  new GatheredWrites().attach(stream);
  return { stream, written, taken };
}

describe('gathered writes', () => {
  it('leave once a turn, in their order, texts and bytes alike', async () => {
    const { stream, written } = recorded();
    stream.write('é');
    stream.write(Buffer.from('-b-'));
    stream.write('c');
    expect(written).toEqual([]);
    await turn();
    stream.write('next');
    await turn();
    expect(written).toEqual(['é-b-c', 'next']);
  });

  it('have left before a callback that was put off after them', async () => {
    const { stream, written } = recorded();
    stream.write('a');
    await turn();
    expect(written).toEqual(['a']);
  });

  it('leave before the end', async () => {
    const { stream, written } = recorded();
    stream.write('last');
    stream.end();
    expect(written).toEqual(['last']);
  });

  it('say that the stream is full only when it will say that it has drained', async () => {
    const { stream, taken } = recorded({ highWaterMark: 4, slow: true });
    expect(stream.write('12345678')).toBe(true);
    await turn();
    expect(stream.write('9')).toBe(false);
    const drained = new Promise((resolve) => stream.once('drain', resolve));
    taken.shift()?.();
    await turn();
    taken.shift()?.();
    await drained;
    expect(stream.write('10')).toBe(true);
  });

  it('to a stream that was destroyed are dropped', async () => {
    const { stream, written } = recorded();
    stream.write('a');
    stream.destroy();
    await turn();
    expect(written).toEqual([]);
  });
});
