import fc from 'fast-check';
import { matchesByRules } from '../../../../test/harness/filter-model.js';
import { TopicTree } from './topic-tree.js';

const level = fc.constantFrom('a', 'b', '', '$x', 'update');
const topics = fc.array(level, { minLength: 1, maxLength: 5 }).map((levels) => levels.join('/'));
const filters = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 5 }), fc.boolean())
  .map(([levels, below]) => [...levels, ...(below ? ['#'] : [])].join('/'));

function found(tree: TopicTree<number>, topic: string): number[] {
  const values: number[] = [];
  tree.some(topic, (value) => {
    values.push(value);
    return false;
  });
  return values.sort((a, b) => a - b);
}

describe('TopicTree', () => {
  it('finds what the rules of MQTT find, after additions and removals', () => {
    fc.assert(
      fc.property(fc.array(filters, { maxLength: 12 }), fc.nat(), fc.array(topics), (all, seed, probes) => {
        const tree = new TopicTree<number>();
        all.forEach((filter, i) => tree.add(filter, i));
        const gone = new Set(all.map((_, i) => i).filter((i) => ((seed >> (i % 30)) & 1) === 1));
        for (const i of gone) tree.remove(all[i] as string, i);
        for (const topic of probes) {
          const expected = all.flatMap((filter, i) => (!gone.has(i) && matchesByRules(filter, topic) ? [i] : []));
          expect(found(tree, topic)).toEqual(expected);
          expect(tree.has(topic)).toBe(expected.length > 0);
        }
        all.forEach((filter, i) => tree.remove(filter, i));
        expect(tree.isEmpty).toBe(true);
      }),
    );
  });

  it('goes on with a visit while a visited value is removed', () => {
    const tree = new TopicTree<string>();
    for (const value of ['1', '2', '3']) tree.add('a/+', value);
    const visited: string[] = [];
    tree.some('a/b', (value) => {
      tree.remove('a/+', value);
      visited.push(value);
      return false;
    });
    expect(visited).toEqual(['1', '2', '3']);
    expect(tree.isEmpty).toBe(true);
  });
});
