import fc from 'fast-check';
import { covers } from '../store/claimed-things.js';
import { exclusiveClaimOf, ExclusiveClaims } from '../store/exclusive-claims.js';
import { leaseOf, leaseText, parseLeaseRequest, sharedWith } from './lease-record.js';

const textOf = (body: Record<string, unknown>): string => {
  try {
    return JSON.stringify(parseLeaseRequest(body));
  } catch (error) {
    return (error as Error).message;
  }
};

describe('what a caller asks for', () => {
  it.each([
    [{ things: ['lamp'] }, '{"things":["lamp"],"ttlSeconds":30,"exclusive":false}'],
    [
      { things: ['lamp', 'b-*', 'lamp', '*'], ttlSeconds: 10 },
      '{"things":["lamp","b-*","*"],"ttlSeconds":10,"exclusive":false}',
    ],
    [{ things: ['lamp'], ttlSeconds: 300, exclusive: true }, '{"things":["lamp"],"ttlSeconds":300,"exclusive":true}'],
    [{ things: ['lamp'], ttlSeconds: 9 }, 'ttlSeconds must be a whole number from 10 to 300'],
    [{ things: ['lamp'], ttlSeconds: 301 }, 'ttlSeconds must be a whole number from 10 to 300'],
    [{ things: ['lamp'], ttlSeconds: 10.5 }, 'ttlSeconds must be a whole number from 10 to 300'],
    [{ things: ['lamp'], ttlSeconds: null }, 'ttlSeconds must be a whole number from 10 to 300'],
    [{ things: [] }, expect.stringContaining('a list of 1 to 100 names')],
    [{}, expect.stringContaining('a list of 1 to 100 names')],
    [{ things: 'lamp' }, expect.stringContaining('a list of 1 to 100 names')],
    [{ things: Array(101).fill('lamp') }, expect.stringContaining('a list of 1 to 100 names')],
    [{ things: ['lamp', 'a/b'] }, expect.stringMatching(/^things\[1\] must be/)],
    [{ things: ['a*b'] }, expect.stringMatching(/^things\[0\] must be/)],
    [{ things: ['**'] }, expect.stringMatching(/^things\[0\] must be/)],
    [{ things: [''] }, expect.stringMatching(/^things\[0\] must be/)],
    [{ things: [1] }, expect.stringMatching(/^things\[0\] must be/)],
    [{ things: ['lamp'], exclusive: 1 }, 'exclusive must be true or false'],
    [{ things: ['lamp'], shared: true }, expect.stringMatching(/^There is no member "shared"/)],
  ])('%j: %s', (body, expected) => {
    expect(textOf(body)).toEqual(expected);
  });
});

describe('the things of leases', () => {
  const entry = fc
    .tuple(fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 3 }), fc.boolean())
    .map(([name, isPrefix]) => (isPrefix || name === '' ? `${name}*` : name));
  const set = fc.array(entry, { minLength: 1, maxLength: 4 });
  /** Every name of up to four letters: a prefix has no more than three, so it covers one of them. */
  const longer = (name: string): string[] =>
    name.length === 4 ? [name] : [name, ...longer(`${name}a`), ...longer(`${name}b`)];
  const names = ['a', 'b'].flatMap(longer);

  it('are shared exactly if one thing can be in both', () => {
    fc.assert(
      fc.property(set, set, (ours, theirs) => {
        const isShared = names.some((name) => covers({ things: ours }, name) && covers({ things: theirs }, name));
        expect(sharedWith(ours, theirs) !== null).toBe(isShared);
      }),
      { numRuns: 500 },
    );
  });

  it('are found in exclusive leases as if each of them were looked at', () => {
    fc.assert(
      fc.property(fc.array(set, { maxLength: 6 }), fc.nat(6), (all, ended) => {
        const leases: [string, { things: string[]; ttlSeconds: number }][] = [];
        for (const things of all)
          if (leases.every(([, other]) => sharedWith(things, other.things) === null))
            leases.push([`lease ${leases.length}`, { things, ttlSeconds: 30 }]);
        const claims = new ExclusiveClaims(leases);
        claims.end(`lease ${ended}`);
        const live = leases.filter(([key]) => key !== `lease ${ended}`);
        const found = names.map((name) => claims.keptFrom(name, 'lease 0'));
        expect(found).toEqual(
          names.map((name) => live.find(([key, claim]) => key !== 'lease 0' && covers(claim, name))?.[0] ?? null),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('are not looked through for a write to another thing', () => {
    let reads = 0;
    const claims = new ExclusiveClaims(
      ['a', 'b-*'].map((things, i) => [
        `lease ${i}`,
        {
          ttlSeconds: 30,
          get things() {
            reads++;
            return [things];
          },
        },
      ]),
    );
    const before = reads;
    expect(['c', 'b', 'b-1', 'a'].map((thing) => claims.keptFrom(thing, undefined))).toEqual([
      ...[null, null, 'lease 1', 'lease 0'],
    ]);
    expect(reads).toBe(before);
  });

  it('cover names and what begins with a prefix', () => {
    const things = ['lamp', 'door-*'];
    expect(['lamp', 'door-', 'door-1'].filter((thing) => covers({ things }, thing))).toHaveLength(3);
    expect(['lamp2', 'lam', 'door', 'LAMP', 'door*'].filter((thing) => covers({ things }, thing))).toEqual([]);
    expect(covers({ things: ['*'] }, 'x')).toBe(true);
  });
});

it.each([true, false])('reads a lease as it was written; exclusive: %s', (exclusive) => {
  const things = ['a', 'b-*'];
  const lease = { principal: 'ann "x"', things, ttlSeconds: 30, exclusive, createdAtMs: 1_700_000_000_123 };
  expect(leaseOf(leaseText(lease))).toEqual(lease);
  expect(exclusiveClaimOf(leaseText(lease))).toEqual(exclusive ? { things, ttlSeconds: 30 } : null);
});
