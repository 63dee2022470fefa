import { BulkRequests } from './bulk-requests.js';

const SWITCHED_ON = { isOn: () => true };

/** Which of the requests of these tenants get a place. */
function entered(requests: BulkRequests, tenants: readonly string[]): boolean[] {
  return tenants.map((tenant) => {
    try {
      requests.enter(tenant);
      return true;
    } catch {
      return false;
    }
  });
}
const tenants = (name: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${name}-${i}`);
const count = (all: readonly boolean[]): number => all.filter(Boolean).length;

it('keeps places for tenants that have none, whatever others hold', () => {
  const requests = new BulkRequests(SWITCHED_ON);
  const greedy = tenants('greedy', 8).flatMap((tenant) => Array<string>(5).fill(tenant));
  expect(count(entered(requests, greedy))).toBe(16 + 4);
  expect(() => requests.enter('greedy-0')).toThrow('4 bulk requests of this tenant are under way on this node already');
  expect(() => requests.enter('greedy-7')).toThrow('16 or more bulk requests, 1 of them of this tenant, are under way');
  expect(count(entered(requests, tenants('modest', 12)))).toBe(12);
  expect(() => requests.enter('late')).toThrow('32 bulk requests are under way on this node already');
});

it('has room for a tenant again when others have left', () => {
  const requests = new BulkRequests(SWITCHED_ON);
  const first = tenants('first', 16);
  expect(count(entered(requests, first))).toBe(16);
  expect(entered(requests, ['first-0', 'other'])).toEqual([false, true]);
  requests.leave('first-1');
  requests.leave('first-2');
  expect(entered(requests, ['first-0', 'first-0'])).toEqual([true, false]);
});

it('takes none while an operator has switched them off', () => {
  const requests = new BulkRequests({ isOn: () => false });
  expect(() => requests.enter('acme')).toThrow('An operator has switched this off: bulk requests');
});
