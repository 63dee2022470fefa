import { setImmediate as turnOfLoop } from 'node:timers/promises';
import { FamilyTurns, type Turn } from './family-turns.js';

describe('FamilyTurns', () => {
  let stored: number;
  let reads: number;
  let turns: FamilyTurns<number>;
  beforeEach(() => {
    stored = 0;
    reads = 0;
    const read = async () => {
      reads++;
      const value = stored;
      await turnOfLoop();
      return value;
    };
    turns = new FamilyTurns(read, 100);
  });
  /** Reads, and writes one more than was read. */
  const increment = async (turn: Turn<number>) => {
    const value = await turn.read();
    await turnOfLoop();
    turn.wrote((stored = value + 1));
    return value;
  };

  it('serves a herd by one read, each after the writes of those before it', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => turns.run('a', increment)));
    expect(answers).toEqual(answers.map((_, index) => index));
    expect(stored).toBe(100);
    expect(reads).toBe(1);
  });

  it('reads again for a use that arrived after the last read had begun', async () => {
    const first = turns.run('a', (turn) => turn.read());
    await Promise.resolve();
    await Promise.resolve();
    expect(reads).toBe(1);
    stored = 7;
    const second = turns.run('a', (turn) => turn.read());
    expect(await Promise.all([first, second])).toEqual([0, 7]);
    expect(reads).toBe(2);
  });

  it('reads again after it was told to forget', async () => {
    await turns.run('a', async (turn) => {
      await turn.read();
      stored = 5;
      expect(await turn.read()).toBe(0);
      turn.forget();
      expect(await turn.read()).toBe(5);
    });
  });

  it('goes on behind a use that fails, and keeps nothing when all have ended', async () => {
    const failing = turns.run('a', () => Promise.reject(new Error('lost')));
    const next = turns.run('a', increment);
    await expect(failing).rejects.toThrow('lost');
    expect(await next).toBe(0);
    expect(turns.size).toBe(0);
  });

  it('lets families not wait for each other', async () => {
    let release = (): void => undefined;
    const held = turns.run('a', () => new Promise<void>((resolve) => (release = resolve)));
    expect(await turns.run('b', increment)).toBe(0);
    release();
    await held;
  });

  it('is bounded, and says so', async () => {
    const herd = Array.from({ length: 101 }, () => turns.run('a', increment));
    const ended = await Promise.allSettled(herd);
    expect(ended.filter(({ status }) => status === 'rejected')).toHaveLength(1);
    await expect(herd[100]).rejects.toMatchObject({ code: 'tooManyRequests' });
    await turns.run('a', increment);
  });
});
