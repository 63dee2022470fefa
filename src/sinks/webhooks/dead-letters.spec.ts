import { MemoryClusterKeys } from '../../store/memory/memory-cluster-keys.js';
import type { DeadLetter } from './dead-letter.js';
import { DeadLetters, MAX_LETTER_BYTES, MAX_LETTERS } from './dead-letters.js';

const letter = (revision: number, body = '{}'): DeadLetter => ({
  ...{ id: `evt_${String(revision).padStart(16, '0')}_x`, thing: 'lamp', shadow: null, version: 1, revision },
  ...{ at: 1_700_000_000_000, tries: 3, reason: 'status 500', body },
});

const ids = async (letters: DeadLetters): Promise<number[]> =>
  (await letters.list()).map(({ letter: { revision } }) => revision);

describe('dead letters', () => {
  it('are listed by revision, and kept once', async () => {
    const letters = new DeadLetters(new MemoryClusterKeys());
    for (const revision of [10, 9, 100, 9]) expect(await letters.add(letter(revision))).toBe(true);
    expect(await ids(letters)).toEqual([9, 10, 100]);
    expect((await letters.list())[0]?.letter).toEqual(letter(9));
  });

  it('are bounded in number, and there is room after a removal', async () => {
    const keys = new MemoryClusterKeys();
    const letters = new DeadLetters(keys);
    for (let revision = 1; revision <= MAX_LETTERS; revision++) await letters.add(letter(revision));
    expect(await letters.add(letter(9_999))).toBe(false);
    const all = await letters.list();
    expect(all).toHaveLength(MAX_LETTERS);
    await letters.remove(all.slice(0, 1));
    expect([await letters.add(letter(9_998)), await letters.add(letter(9_999))]).toEqual([true, false]);
    await letters.remove(await letters.list());
    expect(await letters.list()).toEqual([]);
    expect(keys.keys.get('dead-letters/sums')?.value).toBe('{"letters":0,"bytes":0}');
  });

  it('are counted exactly while several nodes add and remove', async () => {
    const keys = new MemoryClusterKeys();
    const nodes = [0, 1, 2].map(() => new DeadLetters(keys));
    const add = (from: number): Promise<boolean>[] =>
      nodes.flatMap((node, n) => [0, 1, 2].map((index) => node.add(letter(from + 3 * n + index))));
    expect(await Promise.all(add(0))).toEqual(Array(9).fill(true));
    const some = (await nodes[0]!.list()).slice(0, 5);
    await Promise.all([...add(9), ...nodes.map((node) => node.remove(some))]);
    const left = await nodes[0]!.list();
    expect(left).toHaveLength(13);
    const bytes = left.reduce((sum, { stored }) => sum + stored.value.length, 0);
    expect(JSON.parse(keys.keys.get('dead-letters/sums')?.value ?? '')).toEqual({ letters: 13, bytes });
  });

  it('are bounded in bytes', async () => {
    const letters = new DeadLetters(new MemoryClusterKeys());
    const quarter = JSON.stringify('x'.repeat(MAX_LETTER_BYTES / 4));
    const added: boolean[] = [];
    for (let revision = 1; revision <= 4; revision++) added.push(await letters.add(letter(revision, quarter)));
    expect(added).toEqual([true, true, true, false]);
    expect(await letters.add(letter(5))).toBe(true);
  });

  it('that are gone, or were put again, are not taken out a second time', async () => {
    const keys = new MemoryClusterKeys();
    const letters = new DeadLetters(keys);
    for (const revision of [1, 2, 3]) await letters.add(letter(revision));
    const seen = await letters.list();
    await letters.remove(seen.slice(0, 1));
    await letters.add(letter(1));
    await new DeadLetters(keys).remove(seen);
    expect(await ids(letters)).toEqual([1]);
    expect(JSON.parse(keys.keys.get('dead-letters/sums')?.value ?? '')).toMatchObject({ letters: 1 });
  });

  it.each(['', '{}', 'null', '[]', '{"id":1}', JSON.stringify({ ...letter(1), revision: '1' })])(
    'that are %j are passed over',
    async (value) => {
      const keys = new MemoryClusterKeys();
      await keys.commit({ guards: [], puts: [{ key: 'dead-letters/letter/evt_1', value }] });
      expect(await new DeadLetters(keys).list()).toEqual([]);
    },
  );
});
