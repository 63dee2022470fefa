import type { ShadowRecord } from '../../store/shadow-store.js';
import { presenceUpdate } from '../../../test/harness/presence-record.js';
import { messageId, webhookMessage } from './message.js';

const record: ShadowRecord = {
  key: { tenant: 'acme', thing: 'lamp', name: null },
  state: { version: 7, desired: { on: true }, metadata: { desired: { on: { timestamp: 1_700_000_000 } } } },
  change: { kind: 'update', patch: { desired: { on: true } }, principal: 'app', at: 1_700_000_000_123 },
  position: { cluster: 'c', epoch: 0, revision: 42 },
};

describe('messages', () => {
  it('have the event as data, beside its type and time', () => {
    const { type, body } = webhookMessage(record);
    expect(type).toBe('shadow.updated');
    expect(JSON.parse(body)).toEqual({
      type: 'shadow.updated',
      timestamp: '2023-11-14T22:13:20.123Z',
      data: expect.objectContaining({ kind: 'updated', thing: 'lamp', shadow: null, version: 7, revision: 42 }),
    });
  });

  it('of a tombstone say that the shadow was deleted', () => {
    const deleted: ShadowRecord = {
      ...record,
      state: { deleted: true, version: 8, deletedAt: 1_700_000_000 },
      change: { kind: 'delete', principal: 'app', at: 1_700_000_000_123 },
    };
    expect(JSON.parse(webhookMessage(deleted).body)).toMatchObject({
      type: 'shadow.deleted',
      data: { kind: 'deleted' },
    });
  });

  it('of a client say whether it is connected, under an id of their own', () => {
    const presence = presenceUpdate('lamp', 's', record.position, false);
    const { id, body } = webhookMessage(presence);
    expect(JSON.parse(body)).toMatchObject({
      ...{ type: 'thing.presence', timestamp: '2023-11-14T22:13:20.000Z' },
      data: { kind: 'presence', thing: 'lamp', connected: false, revision: 42, lastDisconnect: { reason: 'client' } },
    });
    expect(id).not.toBe(messageId(record));
  });

  it('have one id for one change, in the order of revisions and without a full stop', () => {
    const { key, position } = record;
    const id = messageId(record);
    expect(id).toMatch(/^evt_0000000000000042_[\w-]{16}$/);
    expect(messageId({ key: { ...key }, position: { ...position } })).toBe(id);
    const others = [
      ...[{ tenant: 'other' }, { thing: 'lamp2' }, { name: 'lamp' }].map((part) => ({
        key: { ...key, ...part },
        position,
      })),
      ...[{ revision: 43 }, { epoch: 1 }, { cluster: 'd' }].map((part) => ({
        key,
        position: { ...position, ...part },
      })),
    ].map(messageId);
    expect(new Set([id, ...others]).size).toBe(7);
  });
});
