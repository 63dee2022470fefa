import { ANONYMOUS } from '../access/principal.js';
import type { StoredKey } from '../store/cluster-keys.js';
import type { Stored } from '../store/presence-record.js';
import { LocalSession, type ClientConnection } from './local-session.js';
import { isFollowed, sessionFence } from './session-fence.js';

const recordOf = (session: string, connected = true) => ({
  ...{ connected, since: 0, lastSeen: 0, instance: 'a.00000001', session, principal: 'p', address: '::1' },
  ...{ epoch: null, ended: null },
});
const stored = (session: string, connected = true, revision = 7): Stored => ({
  record: recordOf(session, connected),
  revision,
});
const END = { at: 0, lastSeen: 0, reason: 'client' } as const;

it.each<[what: string, session: Parameters<typeof isFollowed>[0], record: Stored | null, is: boolean]>([
  ['nothing is stored', { id: 's', isRecorded: true, end: null }, null, false],
  ['what is stored is no record', { id: 's', isRecorded: true, end: null }, { record: null, revision: 7 }, false],
  ['the record is its own', { id: 's', isRecorded: true, end: null }, stored('s'), false],
  ['the record is of its own end', { id: 's', isRecorded: true, end: END }, stored('s', false), false],
  ['another was recorded over it', { id: 's', isRecorded: true, end: null }, stored('t'), true],
  ['another was recorded over it, and has ended', { id: 's', isRecorded: true, end: null }, stored('t', false), true],
  ['it will be recorded over another', { id: 's', isRecorded: false, end: null }, stored('t'), false],
  ['its end will be recorded over another', { id: 's', isRecorded: false, end: END }, stored('t', false), false],
  ['it ended without a record, and another lasts', { id: 's', isRecorded: false, end: END }, stored('t'), true],
])('a session when %s', (_, session, record, is) => expect(isFollowed(session, record)).toBe(is));

describe('the fence of a session', () => {
  const connection = {
    isOpen: true,
    since: 0,
    clientId: 'lamp',
    principal: ANONYMOUS,
    address: '::1',
  } as ClientConnection;
  const start = { id: 's', instance: 'a.00000001', principal: 'p', address: '::1', since: 0 };
  const open = (own: ClientConnection | null = connection, isRecorded = true): LocalSession =>
    Object.assign(new LocalSession('default/lamp', own, start), { isRecorded });
  const fenceOf = (session: LocalSession | undefined, known: Stored | null, inEtcd: Stored | null = known) => {
    const sessions = { newest: session, newestOf: () => sessions.newest, storedOf: () => known };
    const value = inEtcd && { value: JSON.stringify(inEtcd.record), revision: inEtcd.revision, lease: null };
    const keys = { get: async (): Promise<StoredKey | null> => value };
    return { sessions, fence: sessionFence(connection, sessions, keys) };
  };

  it('is the record of its client, or that there is none', () => {
    const claim = '~presence/records/default/lamp';
    expect(fenceOf(open(), stored('s')).fence).toMatchObject({ claim, revision: 7 });
    expect(fenceOf(open(connection, false), null).fence).toMatchObject({ claim, revision: 0 });
  });

  it('is none for a client that is not recorded', () => {
    expect(fenceOf(undefined, null).fence).toBeNull();
    expect(fenceOf(open(null), stored('s')).fence).toBeNull();
  });

  it('is an error for a connection that was followed, here or elsewhere', () => {
    const other = { ...connection };
    for (const [session, known] of [
      [open(other), stored('s')],
      [open(), stored('t')],
    ] as const)
      expect(fenceOf(session, known).fence).toMatchObject({ code: 'sessionFollowed' });
  });

  it('asks etcd when the record has changed: its own end lets the write through, another session does not', async () => {
    const again = (inEtcd: Stored | null, attempt = 1, newest?: LocalSession): Promise<number> => {
      const { fence, sessions } = fenceOf(open(), stored('s'), inEtcd);
      if (newest) sessions.newest = newest;
      return (fence as { again(attempt: number): Promise<number> }).again(attempt);
    };
    expect(await again(stored('s', false, 9))).toBe(9);
    expect(await again(null)).toBe(0);
    await expect(again(stored('t', true, 9))).rejects.toMatchObject({ code: 'sessionFollowed' });
    await expect(again(stored('s', true, 9), 1, open({ ...connection }))).rejects.toMatchObject({
      code: 'sessionFollowed',
    });
    await expect(again(stored('s', true, 9), 6)).rejects.toMatchObject({ code: 'storageUnavailable' });
  });
});
