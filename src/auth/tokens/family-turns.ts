import { ServiceError } from '../../errors/service-error.js';

/** Uses of one family that wait at once. */
const MAX_WAITING = 256;

interface Line<T> {
  /** Ends when nobody of the line is at work any more. */
  tail: Promise<unknown>;
  waiting: number;
  /** What the last read or write of the family found, and when it began. */
  known: { readonly found: T; readonly at: number } | null;
}

/** What one use of a family may ask for. */
export interface Turn<T> {
  /** The record as of a moment after the use arrived: its own read, or one of the use before it. */
  read(): Promise<T>;
  /** The record that the use has written. */
  wrote(found: T): void;
  /** The record is not what it was thought to be. */
  forget(): void;
}

/**
 * Lets the uses of one family on this node take turns, so that a herd of them costs one read and one write, not one of
 * each for every use and a retry for every loser. Other nodes race by compare-and-swap as before.
 */
export class FamilyTurns<T> {
  readonly #lines = new Map<string, Line<T>>();
  /** Counts arrivals and reads, so that their order can be told. */
  #count = 0;

  constructor(
    private readonly read: (key: string) => Promise<T>,
    private readonly maxWaiting = MAX_WAITING,
  ) {}

  /** Families that are in use. */
  get size(): number {
    return this.#lines.size;
  }

  /**
   * Runs `use` after the earlier uses of the family.
   * @throws ServiceError tooManyRequests when as many wait as may; else as `use` does
   */
  async run<R>(key: string, use: (turn: Turn<T>) => Promise<R>): Promise<R> {
    const line = this.#lines.get(key) ?? { tail: Promise.resolve(), waiting: 0, known: null };
    if (line.waiting >= this.maxWaiting) throw new ServiceError('tooManyRequests', 'of one refresh token; try again');
    this.#lines.set(key, line);
    line.waiting++;
    const turn = this.#turn(key, line, ++this.#count);
    const answer = line.tail.then(() => use(turn));
    // A use that fails hinders nobody behind it.
    line.tail = answer.catch(() => undefined);
    try {
      return await answer;
    } finally {
      if (--line.waiting === 0) this.#lines.delete(key);
    }
  }

  #turn(key: string, line: Line<T>, arrived: number): Turn<T> {
    return {
      read: async () => {
        if (line.known !== null && line.known.at > arrived) return line.known.found;
        const at = ++this.#count;
        const found = await this.read(key);
        line.known = { found, at };
        return found;
      },
      wrote: (found) => void (line.known = { found, at: ++this.#count }),
      forget: () => void (line.known = null),
    };
  }
}
