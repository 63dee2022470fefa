import Type, { type Static } from 'typebox';
import type { OperationDescription, Tag } from '../http/openapi/describe.js';
import { pathParameter, queryParameter } from '../http/openapi/parameters.js';
import { PRESENCE_MEMBERS } from '../watch/presence-members.js';
import { MAX_VALUES } from '../watch/watch-filter.js';

const PRESENCE: Tag = { name: 'Presence', description: 'Which MQTT clients are connected', place: 35 };

export const PresenceOf = Type.Object(PRESENCE_MEMBERS, { $id: 'PresenceOf' });
export type PresenceOf = Static<typeof PresenceOf>;

export const ClientPresence = Type.Object({ clientId: Type.String(), ...PRESENCE_MEMBERS }, { $id: 'ClientPresence' });
export type ClientPresence = Static<typeof ClientPresence>;

/** The data of an event of the stream. */
export const PresenceChanged = Type.Object(
  { kind: Type.Literal('presence'), clientId: Type.String(), ...PRESENCE_MEMBERS },
  { $id: 'PresenceChanged' },
);
export type PresenceChanged = Static<typeof PresenceChanged>;

const PresenceEvents = Type.String({
  $id: 'PresenceEvents',
  description: 'The data of each event is PresenceChanged.',
});

/** Of a lamp that came back a minute after its connection was lost. */
export const EXAMPLE: PresenceOf = {
  connected: true,
  since: '2023-11-14T22:13:20.000Z',
  lastSeen: '2023-11-14T22:19:02.300Z',
  nodeId: 'umbra-1',
  epoch: 1207,
  session: '0b0a9b0e-5c51-4f6c-9d0e-6b8f5c1f5d3a',
  principal: 'lamp-1',
  lastDisconnect: { reason: 'connection-lost', at: '2023-11-14T22:12:20.000Z' },
};

export const getPresence: OperationDescription = {
  id: 'getPresence',
  tag: PRESENCE,
  summary: 'Whether an MQTT client is connected',
  description: 'As the nodes have told each other through etcd: a state is a few milliseconds old.',
  parameters: [pathParameter('clientId', 'Client identifier of MQTT, percent-encoded.', { maxLength: 128 })],
  answers: {
    200: {
      description: 'The client',
      schema: ClientPresence,
      examples: { connected: { clientId: 'lamp-1', ...EXAMPLE } },
    },
  },
  errors: { noRecord: "client 'lamp-1'", storageUnavailable: '', draining: '' },
};

export const findPresence: OperationDescription = {
  ...getPresence,
  id: 'findPresence',
  summary: 'Whether an MQTT client is connected, whatever its identifier',
  description: 'As `GET /v1/presence/{clientId}`, also for a client whose identifier is `watch`.',
  parameters: [
    {
      ...queryParameter('clientId', 'Client identifier of MQTT.', { type: 'string', minLength: 1, maxLength: 128 }),
      required: true,
    },
  ],
  errors: { ...getPresence.errors, invalidRequest: 'clientId must be given, as the client identifier of MQTT' },
};

const STREAM_EXAMPLE = `retry: 1830

event: initial
data: ${JSON.stringify({ kind: 'presence', clientId: 'lamp-1', ...EXAMPLE } satisfies PresenceChanged)}

event: bookmark
data: {"revision":1207}

`;

export const watchPresence: OperationDescription = {
  id: 'watchPresence',
  tag: PRESENCE,
  summary: 'Which MQTT clients are connected, and every change of it',
  description: `Server-sent events: \`initial\` for each client as it is, then a \`bookmark\`, then \`change\` for each client
that comes or goes, in the order of the epochs of each; \`bookmark\` from time to time; \`end\` with the reason. There is no
cursor: a stream that begins again begins with the present state. See docs/presence.md.`,
  parameters: [
    queryParameter('clientId', 'Only this client; with `*` at its end, all whose identifiers begin so.', {
      type: 'array',
      items: { type: 'string', minLength: 1, maxLength: 128 },
      maxItems: MAX_VALUES,
    }),
  ],
  answers: {
    200: {
      description: 'Events',
      schema: PresenceEvents,
      contentType: 'text/event-stream',
      examples: { stream: STREAM_EXAMPLE },
    },
  },
  errors: {
    invalidRequest: 'clientId must be a client identifier, or the beginning of one with * behind it',
    tooManyRequests: 'this node serves 10000 streams at most; try another',
    storageUnavailable: '',
    draining: '',
  },
};
