import { Duplex } from 'node:stream';
import { CorkedWrites } from './corked-writes.js';

/** Writes down what each system call would get. */
class Recorder extends Duplex {
  readonly calls: string[] = [];

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.calls.push(chunk.toString());
    done();
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.calls.push(chunks.map(({ chunk }) => chunk.toString()).join(''));
    done();
  }

  /** As mqtt-packet writes a packet. */
  packet(text: string): void {
    this.cork();
    this.write(text);
    process.nextTick(() => this.uncork());
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function adopted(writes = new CorkedWrites()): Recorder {
  const stream = new Recorder();
  writes.adopt(stream);
  return stream;
}

describe('CorkedWrites', () => {
  it('sends in one write what comes in two turns of the loop', async () => {
    const stream = adopted();
    stream.packet('a');
    stream.packet('b');
    await turn();
    expect(stream.calls).toEqual([]);
    stream.packet('c');
    await turn();
    expect(stream.calls).toEqual(['abc']);
  });

  it('sends what comes later in a write of its own', async () => {
    const stream = adopted();
    stream.packet('a');
    await turn();
    await turn();
    stream.packet('b');
    await turn();
    await turn();
    expect(stream.calls).toEqual(['a', 'b']);
  });

  it('keeps connections apart', async () => {
    const writes = new CorkedWrites();
    const one = adopted(writes);
    const other = adopted(writes);
    one.packet('a');
    other.packet('b');
    await turn();
    await turn();
    expect([one.calls, other.calls]).toEqual([['a'], ['b']]);
  });

  it('sends what it holds before a connection is destroyed', () => {
    const stream = adopted();
    stream.packet('last');
    stream.destroy();
    expect(stream.calls).toEqual(['last']);
  });

  it('leaves alone what takes one piece after the other, such as a WebSocket', async () => {
    const calls: string[] = [];
    const stream = new Duplex({
      read: () => undefined,
      write(chunk: Buffer, _encoding, done) {
        calls.push(chunk.toString());
        process.nextTick(done);
      },
    });
    new CorkedWrites().adopt(stream);
    stream.cork();
    stream.write('a');
    stream.write('b');
    stream.uncork();
    await turn();
    expect(calls).toEqual(['a', 'b']);
  });

  it('sends what it holds before a connection is ended', async () => {
    const stream = adopted();
    stream.packet('last');
    const finished = new Promise((resolve) => stream.once('finish', resolve));
    stream.end();
    await finished;
    expect(stream.calls).toEqual(['last']);
  });
});
