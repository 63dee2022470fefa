import { OPEN_ACCESS } from '../access/open-access.js';
import { ANONYMOUS } from '../access/principal.js';
import { KnownPresence } from './known-presence.js';
import { PresenceWatch, type PresenceWatchParts } from './presence-watch.js';
import { recordKey, writeRecord } from './presence-record.js';

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
const open = (parts: Partial<PresenceWatchParts> = {}): PresenceWatch =>
  new PresenceWatch({
    ...{ known, authorizer: OPEN_ACCESS, principal: ANONYMOUS, address: '::1', wants: () => true, maxQueued: 3 },
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
  const watch = open();
  for (const id of ['a', 'b', 'a', 'c']) change(id);
  change('a', 'other');
  expect([...watch.present()]).toEqual(['default/old', 'default/b', 'default/a', 'default/c']);
  expect(taken(watch)).toEqual(['default/b', 'default/a', 'default/c']);
  change('old');
  expect(taken(watch)).toEqual(['default/old']);
  expect(known.revision).toBe(7);
});

it('leaves out what its reader does not ask for', () => {
  const watch = open({ wants: (id) => id === 'b' });
  for (const id of ['a', 'b']) change(id);
  expect([[...watch.present()], taken(watch)]).toEqual([['default/b'], ['default/b']]);
});

it('ends a reader that takes nothing, and keeps nothing for it afterwards', async () => {
  const watch = open();
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
