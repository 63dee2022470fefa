import Type from 'typebox';
import { DISCONNECT_REASONS, type DisconnectReason } from '../store/disconnect-reasons.js';

const Time = Type.String({ format: 'date-time' });
const reasons = Object.keys(DISCONNECT_REASONS) as DisconnectReason[];

/** Schemas of the members of a PresenceView (store/presence-view.ts). */
export const PRESENCE_MEMBERS = {
  connected: Type.Boolean(),
  since: Type.String({ format: 'date-time', description: 'Since when it is so.' }),
  lastSeen: Type.String({
    format: 'date-time',
    description:
      'When the client was last heard. Exact on the node that has the connection; others know when it was recorded last.',
  }),
  nodeId: Type.String({ description: 'The node that has, or had, the connection.' }),
  epoch: Type.Integer({ description: 'Rises with every connection of the client, on whatever node.' }),
  session: Type.String({ description: 'Id of the connection.' }),
  principal: Type.String(),
  lastDisconnect: Type.Union([Type.Object({ reason: Type.Enum(reasons), at: Time }), Type.Null()], {
    description: 'The last end of a connection that is known, or null.',
  }),
};
