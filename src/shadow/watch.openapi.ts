import Type from 'typebox';
import { ClientToken } from '../http/http.openapi.js';
import type { StreamDescription } from '../http/openapi/channels.js';
import type { OperationDescription, Tag } from '../http/openapi/describe.js';
import { REVISION, REVISION_SCHEMA } from '../http/revision.js';
import { headerParameter, queryParameter } from '../http/openapi/parameters.js';
import { PRESENCE_MEMBERS } from '../watch/presence-members.js';
import { FORMS, KINDS, MAX_PATH, MAX_VALUES } from '../watch/watch-filter.js';
import { MAX_CREDIT } from './credit.js';
import { Data, METADATA, ShadowName, ShadowRead, Version } from './document.openapi.js';
import { END_MESSAGES } from './watch.js';

export const WATCH: Tag = {
  name: 'Watch',
  description: 'Streams of changes. They do not end, so this page cannot show them: use `curl -N`',
  place: 40,
};

/** Given several times: what fits one of them passes. */
const values = (name: string, description: string, items: Record<string, unknown>) =>
  queryParameter(name, `${description} May be given several times.`, {
    ...{ type: 'array', items: { type: 'string', ...items }, maxItems: MAX_VALUES },
  });

/** Of every stream. */
export const STREAM_PARAMETERS = [
  headerParameter('Last-Event-ID', '`id` of the last processed event; the stream begins right after it.'),
  queryParameter('cursor', 'The same as Last-Event-ID, which overrides it.', { type: 'string' }),
  queryParameter('initial', 'Send the present state first. Has no effect on a stream that resumes.', {
    type: 'boolean',
    default: false,
  }),
  queryParameter(
    'minRevision',
    'Umbra-Revision of an earlier answer: the stream begins behind it. Has no effect on a stream that resumes.',
    REVISION_SCHEMA,
  ),
  values('kind', 'Only events of this kind. Without it `updated` and `deleted`.', { enum: [...KINDS] }),
  values('path', 'JSON Pointer (RFC 6901) into the state, such as `/desired/led`: only changes that touch it.', {
    pattern: FORMS.path.source,
    maxLength: MAX_PATH,
  }),
  queryParameter('delta', 'Only changes that leave a difference between desired and reported.', {
    type: 'boolean',
    enum: [true],
  }),
  queryParameter(
    'real',
    'Only changes that have changed a value of desired or reported, created or deleted a shadow.',
    {
      type: 'boolean',
      enum: [true],
    },
  ),
  queryParameter('previous', 'Each change comes with the document before it.', { type: 'boolean', enum: [true] }),
  queryParameter(
    'credit',
    'Over a WebSocket: `change` and `initial` events that the client takes before it grants more. Without it any number.',
    { type: 'integer', minimum: 0, maximum: MAX_CREDIT },
  ),
];

/** Of streams of all shadows of a thing. */
export const SHADOW_FILTER = values(
  'shadow',
  'Only shadows of this name; with `*` at its end, all whose names begin so. `.classic` is the classic one.',
  { pattern: FORMS.shadow.source },
);
/** Of streams of all things. */
export const THING_FILTER = values('thing', 'Only this thing; with `*` at its end, all whose names begin so.', {
  pattern: FORMS.thing.source,
});

/** The data of a `change` or `initial` event: a ChangeEvent (document/change-event.ts). */
export const WatchEvent = Type.Object(
  {
    kind: Type.Enum(['updated', 'deleted']),
    tenant: Type.String(),
    thing: Type.String(),
    shadow: ShadowName,
    version: Version,
    revision: Type.Integer(),
    time: Type.String({ format: 'date-time' }),
    patch: Type.Union([
      Type.Object({
        desired: Type.Optional(Type.Union([Data, Type.Null()])),
        reported: Type.Optional(Type.Union([Data, Type.Null()])),
      }),
      Type.Null(),
    ]),
    removed: Type.Union([Type.Array(Type.String()), Type.Null()], {
      description:
        'JSON Pointers of the members that the patch removes by null; of a deletion the empty one. null: too long to be told.',
    }),
    delta: Type.Union([Data, Type.Null()]),
    document: Type.Union([ShadowRead, Type.Null()]),
    previous: Type.Optional(
      Type.Union([ShadowRead, Type.Null()], { description: 'The document before, only with ?previous=true.' }),
    ),
    previousMissing: Type.Optional(
      Type.Enum(['compacted', 'unavailable'], { description: 'Why there is no previous although it was asked for.' }),
    ),
    clientToken: Type.Optional(ClientToken),
    traceparent: Type.Optional(
      Type.String({ description: 'Of its request, only if that was sampled: W3C Trace Context' }),
    ),
    tracestate: Type.Optional(Type.String()),
    principal: Type.String(),
  },
  { $id: 'WatchEvent' },
);

/** The data of a `change` or `initial` event of a stream that asks for `kind=presence` (watch/event-text.ts). */
export const ThingPresence = Type.Object(
  {
    kind: Type.Literal('presence'),
    tenant: Type.String(),
    thing: Type.String({ description: 'And the identifier of the client.' }),
    revision: Type.Integer(),
    ...PRESENCE_MEMBERS,
  },
  { $id: 'ThingPresence', description: 'Whether the client of a thing is connected.' },
);

const EventData = Type.Union([WatchEvent, ThingPresence], { $id: 'EventData' });

const Events = Type.String({
  $id: 'Events',
  description:
    'Server-sent events; the data of change and initial is a WatchEvent or, if it was asked for, a ThingPresence.',
  // Names the schema for readers of the description.
  contentSchema: EventData,
});

export const CHANGE_EXAMPLE = {
  kind: 'updated',
  tenant: 'default',
  thing: 'lamp-1',
  shadow: null,
  version: 4,
  revision: 1207,
  time: '2023-11-14T22:13:20.000Z',
  patch: { desired: { led: 'on' } },
  removed: [],
  delta: { led: 'on' },
  document: { state: { desired: { led: 'on' }, reported: { led: 'off' } }, metadata: METADATA, version: 4 },
  clientToken: 'app-17',
  principal: 'anonymous',
};

const STREAM_EXAMPLE = `retry: 1830

event: change
id: MS5jMS4wLjEyMDcuYWxs
data: ${JSON.stringify(CHANGE_EXAMPLE)}

event: bookmark
id: MS5jMS4wLjEyMTEuYWxs
data: {"revision":1211}

`;

const Bookmark = Type.Object(
  { revision: Type.Integer() },
  { $id: 'Bookmark', description: 'All up to here was sent.' },
);
const StreamEnd = Type.Object(
  { reason: Type.Enum([...Object.keys(END_MESSAGES), 'bad-message']), message: Type.String(), reload: Type.String() },
  { $id: 'StreamEnd', description: 'reload is the address of the same stream with the present state first.' },
);
const Credit = Type.Object(
  { type: Type.Literal('credit'), events: Type.Integer({ minimum: 1, maximum: MAX_CREDIT }) },
  { $id: 'Credit', description: 'So many more events of the types change and initial may come.' },
);

/** Of a WebSocket, and of server-sent events. */
const EVENTS = [
  ...[{ event: 'change', name: 'Change', summary: 'One change', data: EventData, hasId: true }],
  ...[{ event: 'initial', name: 'Initial', summary: 'A shadow as it is', data: EventData, hasId: false }],
  ...[{ event: 'bookmark', name: 'Bookmark', summary: 'How far the stream is', data: Bookmark, hasId: true }],
  ...[{ event: 'end', name: 'End', summary: 'Why the stream ends', data: StreamEnd, hasId: false }],
];

/** What goes over a stream. */
const MESSAGES: StreamDescription = {
  sends: EVENTS.map(({ event, name, summary, data, hasId }) => ({
    name,
    summary,
    schema: Type.Object({ type: Type.Literal(event), ...(hasId && { id: Type.String() }), data }),
  })),
  receives: [{ name: 'Credit', summary: 'Takes more events', schema: Credit }],
  events: EVENTS.map(({ event, name, summary, data }) => ({
    name: `${name}Event`,
    summary: `${summary}: the data of the event ${event}`,
    schema: data,
  })),
};

/** The common part of the descriptions of all streams. */
export const STREAM = {
  tag: WATCH,
  description: `Server-sent events: \`change\` for each change, in the order of the commits, without omissions; \`initial\`
for each existing shadow, on request; \`bookmark\` from time to time; \`end\` with the reason. A client that sends the
\`id\` of an event as \`Last-Event-ID\` resumes right after this event, on any node. A 410 has a \`reason\`: \`compacted\` or \`epoch-changed\`.
See docs/streams.md.`,
  answers: {
    200: {
      description: 'Events',
      schema: Events,
      contentType: 'text/event-stream',
      headers: REVISION,
      examples: { stream: STREAM_EXAMPLE },
    },
  },
  stream: MESSAGES,
  errors: {
    invalidRequest: 'Invalid cursor: send one back exactly as it was received',
    revisionAhead: '1300: it is at 1207',
    cursorGone: 'The changes after the cursor are no longer kept; load the present state',
    tooManyRequests: 'the node has its greatest number of streams',
    internal: '',
    draining: '',
  },
} satisfies Partial<OperationDescription>;
