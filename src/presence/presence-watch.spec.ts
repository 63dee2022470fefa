import type { Config } from '../config/config.js';
import { OPEN_ACCESS } from '../access/open-access.js';
import { ANONYMOUS } from '../access/principal.js';
import { until } from '../../test/harness/until.js';
import { KnownPresence } from './known-presence.js';
import type { Presence } from './presence.js';
import { PresenceWatch, type AskedClients, type PresenceWatchParts } from './presence-watch.js';
import { recordKey, writeRecord } from '../store/presence-record.js';
import { askedOf } from './watch.dto.js';
import { WatchPresence } from './watch.js';

let known: KnownPresence;
let revision: number;
let session: number;

const value = (): string =>
  writeRecord({
    ...{ connected: true, since: 1, lastSeen: 1, instance: 'a.00000001', session: `s${session++}`, principal: 'p' },
    ...{ address: '::1', epoch: null, ended: null },
  });
const change = (clientId: string, tenant = 'default'): void =>
  known.change({ key: recordKey({ tenant, clientId }), value: value(), revision: ++revision });
const ALL: AskedClients = { names: null, has: () => true };
const open = (parts: Partial<PresenceWatchParts> = {}): PresenceWatch =>
  new PresenceWatch({
    ...{ known, authorizer: OPEN_ACCESS, principal: ANONYMOUS, address: '::1', asked: ALL, maxQueued: 3 },
    ...parts,
  });
const taken = (watch: PresenceWatch): string[] => {
  const keys: string[] = [];
  for (let key = watch.take(); key !== null; key = watch.take()) keys.push(key);
  return keys;
};

beforeEach(() => {
  known = new KnownPresence('');
  [revision, session] = [1, 0];
  known.snapshot(new Map([['default/old', { value: value(), revision: 1, lease: null }]]), 1);
});

it('tells what there is, and then of each client the last change, in the order of the changes', () => {
  for (const id of ['a', 'b', 'a', 'c']) change(id);
  change('a', 'other');
  const watch = open();
  expect([...watch.present()]).toEqual(['default/old', 'default/a', 'default/b', 'default/c']);
  for (const id of ['a', 'b', 'a', 'old']) change(id);
  change('a', 'other');
  expect(taken(watch)).toEqual(['default/b', 'default/a', 'default/old']);
  expect(known.revision).toBe(11);
});

it('looks at no client of another tenant, and only at those that are asked for by name', () => {
  for (let i = 0; i < 5; i++) change(`c${i}`, 'other');
  for (const id of ['a', 'b']) change(id);
  expect([...open().present()]).toEqual(['default/old', 'default/a', 'default/b']);
  const asked = askedOf({ clientId: ['b', 'gone', 'b'] });
  const watch = open({ asked });
  for (const id of ['a', 'b']) change(id);
  expect([[...watch.present()], taken(watch)]).toEqual([['default/b'], []]);
  for (const id of ['a', 'gone']) change(id);
  expect([taken(watch), watch.shown('default/a')]).toEqual([['default/gone'], null]);
});

it('shows what begins as its reader asks, of all that it looks at', () => {
  for (const id of ['a-1', 'b', 'a-2', 'c']) change(id);
  const watch = open({ asked: askedOf({ clientId: ['a-*', 'c'] }) });
  const shown = [...watch.present()].map((key) => watch.shown(key)).filter((each) => each !== null);
  expect(shown).toEqual(['a-1', 'a-2', 'c']);
});

it('what changes before its state is told is told once, and does not make the reader too slow', () => {
  for (let i = 0; i < 6; i++) change(`c${i}`);
  const watch = open();
  const told: string[] = [];
  for (const key of watch.present()) {
    told.push(key);
    if (key !== 'default/c1') continue;
    for (const id of ['c0', 'c3', 'c4', 'c5', 'new', 'c3']) change(id);
  }
  expect(told).toEqual(['old', 'c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'new'].map((id) => `default/${id}`));
  expect([watch.ended, taken(watch)]).toEqual([null, ['default/c0']]);
  for (const id of ['c2', 'c3', 'c4', 'c5']) change(id);
  expect(watch.ended).toBe('too-slow');
});

it('tells what a snapshot in between has changed', () => {
  for (const id of ['a', 'b']) change(id);
  const watch = open();
  const present = watch.present();
  expect([present.next().value, present.next().value]).toEqual(['default/old', 'default/a']);
  const after = ['a', 'b', 'c'].map((id) => [`default/${id}`, { value: value(), revision: 9, lease: null }] as const);
  known.snapshot(new Map(after), 9);
  expect([...present]).toEqual(['default/b']);
  expect(taken(watch)).toEqual(['default/a', 'default/c']);
});

it('ends a reader that takes nothing, and keeps nothing for it afterwards', async () => {
  const watch = open();
  expect([...watch.present()]).toEqual(['default/old']);
  const ends: unknown[] = [];
  watch.onEnd = () => ends.push(watch.ended);
  for (const id of ['a', 'b', 'c', 'a']) change(id);
  expect(watch.ended).toBeNull();
  for (const id of ['d', 'e']) change(id);
  watch.end('closed');
  expect(ends).toEqual(['too-slow']);
  expect(taken(watch)).toHaveLength(4);
  await watch.wait(60_000);
});

it('wakes its reader for a change, and for the end', async () => {
  const watch = open();
  expect([...watch.present()]).toEqual(['default/old']);
  const changed = watch.wait(60_000);
  change('a');
  await changed;
  expect(taken(watch)).toEqual(['default/a']);
  const ended = watch.wait(60_000);
  watch.end('draining');
  await ended;
  expect(watch.ended).toBe('draining');
});

it('hides what policies hide at that time, and ends when its principal may see nothing any more', () => {
  let [hidden, may] = ['', true];
  let review: () => void = () => undefined;
  const authorizer = {
    ...OPEN_ACCESS,
    isRequired: true,
    allows: (_who: unknown, action: string, resource: string) =>
      action === 'umbra:GetPresence' && resource !== `client/${hidden}`,
    mayEver: () => may,
    onChange: (listener: () => void) => {
      review = listener;
      return () => undefined;
    },
  };
  const watch = open({ authorizer });
  expect([watch.shown('default/a'), watch.shown('default/b')]).toEqual(['a', 'b']);
  hidden = 'b';
  expect([watch.shown('default/a'), watch.shown('default/b')]).toEqual(['a', null]);
  review();
  expect(watch.ended).toBeNull();
  may = false;
  review();
  expect(watch.ended).toBe('forbidden');
});

it('ends one after the other when the node drains, after the grace, and none begins meanwhile', async () => {
  const watches = new WatchPresence(
    { watch: { maxSubscriptions: 5, maxQueued: 3, bookmarkMs: 1 } } as Config,
    OPEN_ACCESS,
    {
      isCurrent: true,
      known,
    } as Presence,
  );
  const reader = { principal: ANONYMOUS, address: '::1', asked: ALL };
  const open = [1, 2, 3, 4].map(() => watches.watch(reader));
  const left = (): number => open.filter(({ ended }) => ended === null).length;
  const counts = new Set<number>();
  for (const watch of open) {
    expect([...watch.present()]).toEqual(['default/old']);
    watch.onEnd = () => void counts.add(left());
  }
  const graceMs = 30;
  const begun = performance.now();
  const ended = watches.endEvenly(graceMs, 200);
  expect(() => watches.watch(reader)).toThrow(expect.objectContaining({ code: 'draining' }));
  await until('the first', () => left() < 4);
  expect(performance.now() - begun).toBeGreaterThanOrEqual(graceMs - 1);
  change('a');
  expect(open.filter((watch) => watch.take() === 'default/a').length).toBe(left());
  await ended;
  expect([open.map((watch) => watch.ended), counts]).toEqual([Array(4).fill('draining'), new Set([3, 2, 1, 0])]);
});
