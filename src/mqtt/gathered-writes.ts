import type { Duplex } from 'node:stream';

type Chunk = Buffer | string;

/**
 * Everything that one turn of the loop sends to a connection leaves in one write: a system call costs more than all of
 * the packets in it, and mqtt-packet hands over each packet in six pieces. What was given before a callback of aedes
 * runs has been written when it runs, as without this.
 */
export class GatheredWrites {
  #waiting: Gathered[] = [];

  /** From now on writes to this stream are gathered. */
  attach(stream: Duplex): void {
    const gathered = new Gathered(stream);
    const end = stream.end.bind(stream) as Duplex['end'];
    Object.assign(stream, {
      write: (chunk: Chunk): boolean => {
        if (gathered.take(chunk)) this.wait(gathered);
        // As the stream itself said last, so that a `drain` follows whenever it is false.
        return !stream.writableNeedDrain;
      },
      end: (...rest: Parameters<Duplex['end']>) => {
        gathered.flush();
        return end(...rest);
      },
      // There is nothing left to cork, and mqtt-packet would do it for each packet.
      cork: undefined,
    });
  }

  private wait(gathered: Gathered): void {
    if (this.#waiting.push(gathered) === 1) setImmediate(() => this.flush());
  }

  private flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const gathered of waiting) gathered.flush();
  }
}

class Gathered {
  #chunks: Chunk[] = [];
  #bytes = 0;
  readonly #write: (bytes: Buffer) => boolean;

  constructor(private readonly stream: Duplex) {
    this.#write = stream.write.bind(stream);
  }

  /** Whether it is the first since the last flush. */
  take(chunk: Chunk): boolean {
    this.#bytes += typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.length;
    return this.#chunks.push(chunk) === 1;
  }

  flush(): void {
    const chunks = this.#chunks;
    if (chunks.length === 0) return;
    const bytes = joined(chunks, this.#bytes);
    this.#chunks = [];
    this.#bytes = 0;
    if (this.stream.writable) this.#write(bytes);
  }
}

function joined(chunks: readonly Chunk[], bytes: number): Buffer {
  // A message to very many is shared by all of them.
  if (chunks.length === 1 && Buffer.isBuffer(chunks[0])) return chunks[0];
  const all = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const chunk of chunks) at += typeof chunk === 'string' ? all.write(chunk, at) : chunk.copy(all, at);
  return all;
}
