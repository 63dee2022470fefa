import { settingsOf, type ConsumeOptions } from './options.js';

const redis = { call: () => Promise.resolve(null), duplicate: () => redis, disconnect: () => undefined };
const given: ConsumeOptions = { redis, stream: 's', group: 'g', consumer: 'c', handle: () => undefined };

it.each<[object, string]>([
  [{ stream: '' }, 'stream has to be a text'],
  [{ consumer: undefined }, 'consumer has to be a text'],
  [{ handle: null }, 'handle has to be a function'],
  [{ from: 'last' }, 'from has to be "first" or "next"'],
  [{ batch: 1_001 }, 'batch has to be an integer of 1 to 1000'],
  [{ maxTries: 0 }, 'maxTries has to be an integer of 1 to'],
  [{ claimIdleMs: 99 }, 'claimIdleMs has to be an integer of 100 to'],
  [{ outageMs: 1.5 }, 'outageMs has to be an integer'],
])('refuses %j', (wrong, message) => {
  expect(() => settingsOf({ ...given, ...wrong } as ConsumeOptions)).toThrow(message);
});

it('claims what was left for 30 s, unless told', () => {
  expect(settingsOf(given)).toMatchObject({ claimIdleMs: 30_000, maxTries: 5, start: '0' });
  expect(settingsOf({ ...given, claimIdleMs: 100, from: 'next' })).toMatchObject({ claimIdleMs: 100, start: '$' });
});
