import { KnownPresence } from './known-presence.js';
import { writeRecord } from '../store/presence-record.js';

const MANY = 4_500;

let known: KnownPresence;
let told: string[];
let replaced: number;

const value = (session: string, connected = true): string =>
  writeRecord({
    ...{ connected, since: 1, lastSeen: 1, instance: 'a.00000001', session, principal: 'p', address: '::1' },
    ...{ epoch: null, ended: null },
  });
/** So many clients of two tenants, all with sessions of one name. */
const snapshot = (session: string, revision: number): void => {
  const clients = Array.from({ length: MANY }, (_, i) => `records/${i % 2 === 0 ? 'red' : 'blue'}/c${i}`);
  known.snapshot(new Map(clients.map((key) => [key, { value: value(session), revision, lease: null }])), revision);
};
const change = (key: string, text: string | null, revision: number): void =>
  known.change({ key: `records/${key}`, value: text, revision });
const sessionOf = (key: string): string | undefined => known.get(key)?.record?.session;
/** How many turns of the loop it takes until the records are read. */
async function turns(): Promise<number> {
  for (let count = 0; ; count++) {
    if (known.isReady || count > MANY) return count;
    await new Promise(setImmediate);
  }
}

beforeEach(() => {
  known = new KnownPresence('records/');
  [told, replaced] = [[], 0];
  known.followedBy({ recordsReplaced: () => replaced++, recordChanged: () => undefined });
  known.onEvent((event) => told.push(`${event.tenant}/${event.clientId} ${event.record.session}`));
});

it('reads a large snapshot in several turns of the loop, and then what has come meanwhile', async () => {
  snapshot('s1', 5);
  for (const session of ['s2', 's3']) change('red/c4000', value(session), 6);
  change('blue/c1', null, 7);
  change('green/new', value('s4'), 8);
  expect([known.isReady, known.size, replaced]).toEqual([false, 0, 0]);
  expect(await turns()).toBe(4);
  expect([known.size, known.tenants, known.sizeOf('blue'), known.revision]).toEqual([MANY, 3, MANY / 2 - 1, 8]);
  expect([sessionOf('red/c4000'), known.get('blue/c1')]).toEqual(['s3', null]);
  expect([told, replaced]).toEqual([['red/c4000 s3', 'green/new s4'], 1]);
});

it('after a gap what was known stays until the snapshot is read; the last snapshot counts', async () => {
  snapshot('s1', 5);
  await turns();
  snapshot('s2', 9);
  change('red/c0', value('lost'), 10);
  await new Promise(setImmediate);
  expect([known.isReady, sessionOf('red/c0'), known.revision, told]).toEqual([false, 's1', 5, []]);
  snapshot('s3', 12);
  expect(await turns()).toBe(4);
  expect([sessionOf('red/c0'), sessionOf('blue/c1'), known.revision]).toEqual(['s3', 's3', 12]);
  expect([told.length, told[0], replaced]).toEqual([MANY, 'red/c0 s3', 2]);
});

it('reads no further when it is stopped', async () => {
  snapshot('s1', 5);
  known.stop();
  for (let i = 0; i < 6; i++) await new Promise(setImmediate);
  expect([known.size, replaced]).toEqual([0, 0]);
});

it('keeps clients by the instance that has them', () => {
  for (const id of ['a', 'b']) change(`red/${id}`, value('s1'), 1);
  change('red/a', value('s1', false), 2);
  expect([...known.connectedAt('a.00000001')]).toEqual(['red/b']);
  change('red/b', null, 3);
  expect([known.instances(), known.size, known.tenants]).toEqual([[], 1, 1]);
});
