import { disconnectReason } from './disconnect-reason.js';
import { changeBetween, lostRecord, nextRecord, type Session } from './next-record.js';
import type { PresenceRecord, Stored } from '../store/presence-record.js';

const open = (id: string, instance = 'a.00000001'): Session => {
  return { id, instance, principal: 'lamp', address: '10.0.0.1', since: 1_000, isRecorded: false, end: null };
};
const ended = (id: string, instance?: string): Session => ({
  ...open(id, instance),
  end: { at: 5_000, lastSeen: 4_000, reason: 'client' },
});
const connected = (session: string, instance = 'a.00000001'): PresenceRecord => ({
  ...{ connected: true, since: 900, lastSeen: 900, instance, session, principal: 'lamp', address: '10.0.0.1' },
  ...{ epoch: null, ended: null },
});
const gone = (session: string, instance?: string): PresenceRecord => ({
  ...connected(session, instance),
  ...{ connected: false, since: 950, epoch: 6, ended: { reason: 'node-lost', at: 950 } },
});
const at7 = (record: PresenceRecord | null): Stored => ({ record, revision: 7 });
const B = 'b.00000002';

describe('what is written of an open session', () => {
  it.each<[string, Stored | null, PresenceRecord['ended']]>([
    ['nothing', null, null],
    ['what is no record', at7(null), null],
    ['the end of an earlier one', at7(gone('s0', B)), { reason: 'node-lost', at: 950 }],
    ['an earlier one of this node', at7(connected('s0')), { reason: 'taken-over', at: 1_000 }],
    ['an earlier one of another node', at7(connected('s0', B)), { reason: 'taken-over', at: 1_000 }],
    ['itself, when its node was thought lost', at7(gone('s1')), { reason: 'node-lost', at: 950 }],
  ])('over %s', (_what, stored, end) => {
    const base = { instance: 'a.00000001', session: 's1', principal: 'lamp', address: '10.0.0.1' };
    const record = { connected: true, since: 1_000, lastSeen: 1_000, ...base, epoch: null, ended: end };
    expect(nextRecord(open('s1'), stored)).toEqual(record);
  });

  it('is nothing once it is recorded', () => expect(nextRecord(open('s1'), at7(connected('s1')))).toBeNull());
});

describe('what is written of the end of a session', () => {
  it.each<[string, Stored | null, number | null]>([
    ['its own record, with the epoch of that', at7(connected('s1')), 7],
    ['nothing, when it was over before anything was written', null, null],
    ['an earlier one of this node, whose end was not written', at7(connected('s0')), null],
    ['the end of an earlier one', at7(gone('s0', B)), null],
  ])('over %s', (_what, stored, epoch) => {
    const base = { instance: 'a.00000001', session: 's1', principal: 'lamp', address: '10.0.0.1' };
    const end = { reason: 'client', at: 5_000 };
    const record = { connected: false, since: 5_000, lastSeen: 4_000, ...base, epoch, ended: end };
    expect(nextRecord(ended('s1'), stored)).toEqual(record);
  });

  it.each<[string, Stored]>([
    ['a newer one of another node', at7(connected('s2', B))],
    ['its own end', at7({ ...gone('s1'), ended: { reason: 'client', at: 950 } })],
    ['its own end by the loss of its node', at7(gone('s1'))],
  ])('is nothing over %s', (_what, stored) => expect(nextRecord(ended('s1'), stored)).toBeNull());

  it.each<[string, Stored | null, number | null | undefined]>([
    ['a newer one of another node', at7(connected('s2', B)), undefined],
    ['the end of a newer one of another node', at7(gone('s2', B)), undefined],
    ['its own record', at7(connected('s1')), 7],
    ['nothing, after the restore of a backup', null, null],
    ['an earlier one of this node, after the restore of a backup', at7(connected('s0')), null],
  ])('once that was recorded: over %s', (_what, stored, epoch) =>
    expect(nextRecord({ ...ended('s1'), isRecorded: true }, stored)?.epoch).toBe(epoch),
  );
});

it('a lost node: the record keeps its session, its epoch and when the client was last heard', () => {
  const lost = { connected: false, since: 9_000, epoch: 7, ended: { reason: 'node-lost', at: 9_000 } };
  expect(lostRecord({ record: connected('s1'), revision: 7 }, 9_000)).toEqual({ ...connected('s1'), ...lost });
});

it.each<[PresenceRecord | null, PresenceRecord, string | null]>([
  [null, connected('s1'), 'connected'],
  [null, gone('s1'), 'disconnected'],
  [connected('s1'), connected('s1'), null],
  [connected('s1'), connected('s2'), 'connected'],
  [connected('s1'), gone('s1'), 'disconnected'],
  [gone('s1'), gone('s1'), null],
  [gone('s1'), gone('s2'), 'disconnected'],
  [gone('s1'), connected('s1'), 'connected'],
])('the change between two records (%#)', (before, after, change) => {
  expect(changeBetween(before, after)).toBe(change);
});

it.each([
  [null, 'connection-lost'],
  [0x00, 'client'],
  [0x80, 'server-error'],
  [0x81, 'client-error'],
  [0x82, 'client-error'],
  [0x87, 'access-withdrawn'],
  [0x8b, 'node-stopped'],
  [0x8d, 'keep-alive-timeout'],
  [0x8e, 'taken-over'],
  [0x97, 'throttled'],
  [0x9b, 'client-error'],
])('the code %p is the reason %s', (code, reason) => expect(disconnectReason(code)).toBe(reason));
