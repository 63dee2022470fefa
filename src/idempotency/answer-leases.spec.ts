import { A_DAY, AnswerLeases, MINUTES } from './answer-leases.js';

const MINUTE_MS = 60_000;

function leasesOn(clock: { at: number }, retention = A_DAY) {
  const granted: number[] = [];
  const grant = (seconds: number): Promise<string> => Promise.resolve(`lease-${granted.push(seconds)}`);
  const leases = new AnswerLeases({ grant }, { now: () => 0, monotonic: () => clock.at }, retention);
  return { leases, granted };
}

it('shares one lease among the answers of ten minutes, and lets each live a day', async () => {
  const clock = { at: 0 };
  const { leases, granted } = leasesOn(clock);
  const early = await Promise.all([leases.acquire(), leases.acquire(), leases.acquire()]);
  clock.at = 10 * MINUTE_MS - 1;
  const last = await leases.acquire();
  expect([...early, last]).toEqual(Array(4).fill('lease-1'));
  clock.at = 10 * MINUTE_MS;
  expect(await leases.acquire()).toBe('lease-2');
  expect(granted).toEqual([87_000, 87_000]);
});

it('gives a lease to 1,000 answers at most, which end in one revision', async () => {
  const { leases } = leasesOn({ at: 0 });
  const used = await Promise.all(Array.from({ length: 2_001 }, () => leases.acquire()));
  const counts = ['lease-1', 'lease-2', 'lease-3'].map((id) => used.filter((each) => each === id).length);
  expect(counts).toEqual([1_000, 1_000, 1]);
});

it('takes another lease for one that is gone, and asks again after a grant that failed', async () => {
  const { leases } = leasesOn({ at: 0 });
  leases.forget(await leases.acquire());
  expect(await leases.acquire()).toBe('lease-2');
  leases.forget('lease-1');
  expect(await leases.acquire()).toBe('lease-2');
  let fails = 1;
  const grant = (): Promise<string> => (fails-- > 0 ? Promise.reject(new Error('full')) : Promise.resolve('good'));
  const shaky = new AnswerLeases({ grant }, { now: () => 0, monotonic: () => 0 }, A_DAY);
  await expect(shaky.acquire()).rejects.toThrow('full');
  expect(await shaky.acquire()).toBe('good');
});

it('lets answers that are asked for minutes live for five, and changes their lease each minute', async () => {
  const clock = { at: 0 };
  const { leases, granted } = leasesOn(clock, MINUTES);
  const early = await leases.acquire();
  clock.at = MINUTE_MS - 1;
  expect(await leases.acquire()).toBe(early);
  clock.at = MINUTE_MS;
  expect(await leases.acquire()).toBe('lease-2');
  expect(granted).toEqual([360, 360]);
});
