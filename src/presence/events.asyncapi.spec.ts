import { Ajv2020, type AnySchema } from 'ajv/dist/2020.js';
import { PRESENCE_TOPICS } from '../mqtt/topics.js';
import { DISCONNECT_REASONS, type DisconnectReason } from '../store/disconnect-reasons.js';
import { PRESENCE_EVENTS } from './events.asyncapi.js';
import { eventText } from './presence-events.js';

const record = {
  ...{ connected: true, since: 1_700_000_000_000, lastSeen: 1_700_000_000_000, instance: 'n.00000001' },
  ...{ session: 's', principal: 'p', address: '127.0.0.1', epoch: null, ended: null },
};
const checks = PRESENCE_EVENTS.map(({ message }) =>
  new Ajv2020({ strict: false }).compile(message.schema as AnySchema),
);
const told = (change: 'connected' | 'disconnected', reason?: DisconnectReason): unknown[] => {
  const ended = reason === undefined ? null : { reason, at: 1 };
  const event = { tenant: 't', clientId: 'c', change, record: { ...record, ended }, revision: 7 };
  const text: unknown = JSON.parse(eventText(event));
  return checks.map((check) => check(text));
};

describe('the description of presence events', () => {
  it('has their topics', () => {
    expect(PRESENCE_EVENTS.map(({ topic }) => topic)).toEqual(
      [PRESENCE_TOPICS.connected, PRESENCE_TOPICS.disconnected].map((topic) => `${topic}{clientId}`),
    );
  });

  it('fits each, and not the other', () => {
    expect(told('connected')).toEqual([true, false]);
    for (const reason of Object.keys(DISCONNECT_REASONS) as DisconnectReason[])
      expect([reason, ...told('disconnected', reason)]).toEqual([reason, false, true]);
  });
});
