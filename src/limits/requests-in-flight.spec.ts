import { RequestsInFlight } from './requests-in-flight.js';

const principal = (id: string, tenant = 'default') => ({ id, tenant });

it('counts all that act as one principal together, and nobody else with them', () => {
  const limits = new RequestsInFlight(2, 0);
  const [first, second] = [principal('a'), principal('a')];
  const places = [limits.enter(first), limits.enter(second)];
  expect(places.every((each) => each !== null)).toBe(true);
  expect([limits.enter(first), limits.enter(second), limits.enter(principal('a'))]).toEqual([null, null, null]);
  expect(limits.enter(principal('a', 'other'))).not.toBeNull();
  expect(limits.enter(principal('b'))).not.toBeNull();
  places[0]?.leave();
  expect(limits.enter(second)).not.toBeNull();
  expect(limits.enter(first)).toBeNull();
});

it('still counts together after everybody has left', () => {
  const limits = new RequestsInFlight(1, 0);
  const [first, second] = [principal('a'), principal('a')];
  limits.enter(first)?.leave();
  const place = limits.enter(second);
  expect(limits.enter(first)).toBeNull();
  place?.leave();
  expect(limits.size).toBe(0);
  expect(limits.enter(first)).not.toBeNull();
  expect(limits.enter(second)).toBeNull();
  expect(limits.size).toBe(1);
});

it('counts without a limit', () => {
  const limits = new RequestsInFlight(0, 0);
  const one = principal('a');
  for (let n = 0; n < 5000; n++) expect(limits.enter(one)).not.toBeNull();
});
