import fc from 'fast-check';
import { TopicTree } from './topic-tree.js';
import { WatchedThings } from './watched-things.js';

const things = ['a', 'b', 'c'];

describe('the things that filters name', () => {
  it('property: rule out only what no filter matches, whatever comes and goes', () => {
    const level = fc.constantFrom('+', '$aws', 'things', 'shadow', 'update', 'accepted', 'name', ...things);
    const filter = fc
      .tuple(fc.array(level, { minLength: 1, maxLength: 7 }), fc.boolean())
      .map(([levels, all]) => [...levels, ...(all ? ['#'] : [])].join('/'));
    const ofThing = fc
      .tuple(
        fc.constantFrom('$aws', '+'),
        fc.constantFrom('+', ...things),
        fc.constantFrom('#', 'shadow/update/accepted', 'shadow/+/+'),
      )
      .map(([first, thing, rest]) => `${first}/things/${thing}/${rest}`);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.oneof(filter, ofThing), fc.boolean()), { maxLength: 8 }), (steps) => {
        const tree = new TopicTree<number>();
        const watched = new WatchedThings();
        for (const [each] of steps) {
          tree.add(each, 1);
          watched.add(each);
        }
        for (const [each, stays] of steps) {
          if (stays) continue;
          tree.remove(each, 1);
          watched.remove(each);
        }
        for (const thing of things) {
          const matches = tree.has(`$aws/things/${thing}/shadow/update/accepted`);
          if (matches) expect(watched.may(thing)).toBe(true);
        }
        if (steps.every(([, stays]) => !stays)) expect(things.some((thing) => watched.may(thing))).toBe(false);
      }),
    );
  });

  it('tell things apart, also with wildcards below them', () => {
    const watched = new WatchedThings();
    watched.add('$aws/things/a/shadow/#');
    watched.add('$aws/things/a/shadow/+/accepted');
    expect([watched.may('a'), watched.may('b')]).toEqual([true, false]);
    watched.remove('$aws/things/a/shadow/#');
    expect(watched.may('a')).toBe(true);
    watched.remove('$aws/things/a/shadow/+/accepted');
    expect(watched.may('a')).toBe(false);
    watched.add('$aws/things/+/shadow/update/accepted');
    expect(watched.may('b')).toBe(true);
  });
});
