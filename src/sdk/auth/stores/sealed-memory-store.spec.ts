import { inspect } from 'node:util';
import { ManualClock } from '../../testing/manual-clock.js';
import { sealedMemoryStore } from './sealed-memory-store.js';

it('keeps texts sealed, and forgets them when nothing was used for 30 minutes', async () => {
  const clock = new ManualClock();
  const store = sealedMemoryStore({ clock });
  await store.set('a', 'secret');
  await store.set('b', 'other');
  await store.delete('b');
  await clock.advance(29 * 60_000);
  expect([await store.get('a'), await store.get('b')]).toEqual(['secret', null]);
  expect(inspect(store, { depth: 9, showHidden: true })).not.toContain('secret');
  await clock.advance(29 * 60_000);
  expect(await store.get('a')).toBe('secret');
  await clock.advance(30 * 60_000);
  expect([await store.get('a'), clock.timers]).toEqual([null, 1]);
});

it('forgets after a sleep, in which timers stood', async () => {
  const clock = new ManualClock();
  const store = sealedMemoryStore({ clock });
  await store.set('a', 'secret');
  clock.jump(8 * 3_600_000);
  expect(await store.get('a')).toBeNull();
});
