import Type from 'typebox';
import type { TopicDescription } from '../http/openapi/channels.js';
import { PRESENCE_TOPICS } from '../mqtt/topics.js';
import { DISCONNECT_REASONS } from '../store/disconnect-reasons.js';

/** The members of AWS (docs/presence.md). */
const common = {
  clientId: Type.String(),
  timestamp: Type.Integer({ description: 'Epoch milliseconds.' }),
  sessionIdentifier: Type.String(),
  principalIdentifier: Type.String(),
  versionNumber: Type.Integer({ description: 'The epoch: the same in both events of a connection.' }),
};

const Connected = Type.Object(
  { ...common, eventType: Type.Literal('connected'), ipAddress: Type.String() },
  { $id: 'Connected', additionalProperties: false },
);
const Disconnected = Type.Object(
  {
    ...common,
    eventType: Type.Literal('disconnected'),
    clientInitiatedDisconnect: Type.Boolean(),
    disconnectReason: Type.Enum([...new Set(Object.values(DISCONNECT_REASONS))]),
  },
  { $id: 'Disconnected', additionalProperties: false },
);

/** The topics of presence events. */
export const PRESENCE_EVENTS: readonly TopicDescription[] = [
  {
    name: 'presenceConnected',
    topic: `${PRESENCE_TOPICS.connected}{clientId}`,
    action: 'send',
    message: { name: 'Connected', summary: 'A client has connected', schema: Connected },
  },
  {
    name: 'presenceDisconnected',
    topic: `${PRESENCE_TOPICS.disconnected}{clientId}`,
    action: 'send',
    message: { name: 'Disconnected', summary: 'A connection has ended', schema: Disconnected },
  },
];
