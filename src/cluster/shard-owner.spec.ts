import fc from 'fast-check';
import { ownerOf } from './shard-owner.js';

const SHARDS = Array.from({ length: 256 }, (_, index) => `shard-${index}`);
const instances = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 6 });

describe('ownerOf', () => {
  it('knows nobody when nobody lives', () => expect(ownerOf('a', [])).toBeNull());

  it('is one of the instances, whatever their order', () => {
    fc.assert(
      fc.property(fc.string(), instances, (shard, live) => {
        const owner = ownerOf(shard, live);
        expect(live).toContain(owner);
        expect(ownerOf(shard, [...live].reverse())).toBe(owner);
      }),
    );
  });

  it('moves only the shards of the instance that goes', () => {
    fc.assert(
      fc.property(fc.string(), instances, (shard, live) => {
        const owner = ownerOf(shard, live);
        for (const gone of live) {
          if (gone !== owner) {
            expect(
              ownerOf(
                shard,
                live.filter((one) => one !== gone),
              ),
            ).toBe(owner);
          }
        }
      }),
    );
  });

  it('gives each of three instances its share', () => {
    const counts = new Map<string | null, number>();
    for (const shard of SHARDS) {
      const owner = ownerOf(shard, ['node-a', 'node-b', 'node-c']);
      counts.set(owner, (counts.get(owner) ?? 0) + 1);
    }
    expect([...counts.values()].sort()).toHaveLength(3);
    for (const count of counts.values()) expect(count).toBeGreaterThan(50);
  });
});
