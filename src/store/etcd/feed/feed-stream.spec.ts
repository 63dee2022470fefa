import { FeedGap } from '../../shadow-feed.js';
import { FeedStream, type FeedSource } from './feed-stream.js';
import type { RawRevision } from './revision-assembler.js';

const raw = (revision: number, deletes: Buffer[] = []): RawRevision => ({
  revision,
  puts: [],
  deletes,
  bytes: Buffer.alloc(0),
});

/** A source whose watches bring what the test says: revisions, or an error. */
function setup(...watches: (number[] | Error)[][]) {
  const told: string[] = [];
  const stop = new AbortController();
  const source: FeedSource = {
    begun: () => void told.push('begun'),
    ended: () => void told.push('ended'),
    open: async () => {
      const reads = watches.shift();
      if (!reads) throw new Error('no member answers');
      told.push('open');
      return {
        read: async () => {
          const read = reads.shift();
          if (read instanceof Error) throw read;
          return read
            ? read.map((revision) => raw(revision, revision < 0 ? [Buffer.from('k')] : []))
            : new Promise(() => undefined);
        },
        close: () => void told.push('close'),
      };
    },
    deleted: async (revisions) => new Map(revisions.map(({ revision }) => [revision, [{ bytes: revision }] as never])),
    batch: ({ revision }, deleted) => {
      if (revision === 999) throw new Error('unreadable');
      if (revision === 666) throw new FeedGap('epoch-changed');
      return { position: { cluster: 'c', epoch: 0, revision }, records: [...deleted] };
    },
    gapOf: (error) => (error instanceof FeedGap ? error : null),
    lost: (error) => {
      told.push(String(error));
      return 0;
    },
  };
  return { told, stop, stream: new FeedStream(source, stop.signal) };
}

const take = async (stream: FeedStream, count: number): Promise<number[]> => {
  const revisions: number[] = [];
  for await (const { position } of stream) {
    revisions.push(position.revision);
    if (revisions.length === count) break;
  }
  return revisions;
};

describe('FeedStream', () => {
  it('hands out revisions one by one, goes on with the next member, and ends with its reader', async () => {
    const { stream, told } = setup([[1, 2], [3], new Error('gone')], [[4, 5]]);
    expect(told).toEqual([]);
    expect(await take(stream, 4)).toEqual([1, 2, 3, 4]);
    expect(told).toEqual(['begun', 'open', 'close', 'Error: gone', 'open', 'ended', 'close']);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    await stream.return();
    expect(told).toHaveLength(7);
  });

  it('looks up what was deleted', async () => {
    const { stream } = setup([[1, -2]]);
    expect((await stream.next()).value?.records).toHaveLength(1);
    await stream.return();
  });

  it('ends with the gap that its reader must know of, and tells it once', async () => {
    const { stream, told } = setup([[1, 666]]);
    await stream.next();
    await expect(stream.next()).rejects.toBeInstanceOf(FeedGap);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(told).toEqual(['begun', 'open', 'close', 'ended']);
  });

  it('goes on after the error of a batch without losing or repeating a revision', async () => {
    const { stream, told } = setup([[1, 999]], [[2]]);
    expect(await take(stream, 2)).toEqual([1, 2]);
    expect(told).toContain('Error: unreadable');
  });

  it('asks the next member until one answers, and ends when its signal says so', async () => {
    const { stream, told, stop } = setup();
    const next = stream.next();
    while (told.length < 4) await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    expect(told.slice(0, 3)).toEqual(['begun', 'Error: no member answers', 'Error: no member answers']);
    expect(told.at(-1)).toBe('ended');
  });
});
