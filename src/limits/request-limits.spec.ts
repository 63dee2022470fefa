import { SettableClock } from '../../test/harness/clock.js';
import { RequestLimits, type Rates } from './request-limits.js';

const OFF: Rates = { thing: 0, principal: 0, tenant: 0 };
const LAMP = { id: 'lamp', tenant: 'a' };
let clock: SettableClock;
let given: Map<string, number>;
let generation: number;
const limitsOf = (rates: Partial<Rates>): RequestLimits =>
  new RequestLimits(
    { ...OFF, ...rates },
    {
      get generation() {
        return generation;
      },
      of: () => given,
    },
    clock,
  );
/** How many of a hundred are served. */
const served = (limits: RequestLimits, principal = LAMP, thing: string | null = 'lamp'): number =>
  Array.from({ length: 100 }, () => limits.take(principal, thing)).filter((excess) => excess === null).length;

beforeEach(() => {
  clock = new SettableClock();
  given = new Map();
  generation = 1;
});

it('serves everything without limits', () => expect(served(limitsOf({}))).toBe(100));

it('counts a thing, whoever asks, and no other thing of that name', () => {
  const limits = limitsOf({ thing: 20 });
  expect(served(limits)).toBe(20);
  expect(served(limits, { id: 'service', tenant: 'a' })).toBe(0);
  expect(served(limits, LAMP, 'door')).toBe(20);
  expect(served(limits, { id: 'lamp', tenant: 'b' })).toBe(20);
  expect(served(limits, LAMP, null)).toBe(100);
  clock.advance(500);
  expect(served(limits)).toBe(10);
});

it('counts a principal under each of its credentials, and a tenant with all of its principals', () => {
  const own = limitsOf({ principal: 5 });
  expect([served(own), served(own, { ...LAMP }), served(own, { id: 'x', tenant: 'a' })]).toEqual([5, 0, 5]);
  const all = limitsOf({ tenant: 7 });
  expect([served(all), served(all, { id: 'x', tenant: 'a' }), served(all, { id: 'x', tenant: 'b' })]).toEqual([
    7, 0, 7,
  ]);
});

it('takes nothing for a request that another limit refuses', () => {
  const limits = limitsOf({ thing: 10, tenant: 5 });
  expect(served(limits)).toBe(5);
  expect(limits.take(LAMP, 'lamp')).toMatchObject({ code: 'rateExceeded', authCode: 'AUTH_901', by: 'tenant' });
  expect(served(limits, { id: 'x', tenant: 'b' })).toBe(5);
  clock.advance(1000);
  // The thing has lost the five that were served, and has them back.
  expect(served(limits)).toBe(5);
});

it('follows the record of the tenant', () => {
  const limits = limitsOf({ thing: 20 });
  expect(served(limits)).toBe(20);
  given.set('requestsPerSecondOfThing', 0).set('requestsPerSecond', 3);
  expect(served(limits)).toBe(0);
  generation++;
  expect(served(limits)).toBe(3);
});
