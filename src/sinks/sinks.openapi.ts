import Type, { type Static } from 'typebox';
import { AFTER, IF_MATCH, IF_NONE_MATCH, LIMIT } from '../http/http.openapi.js';
import { type OperationDescription, type Tag } from '../http/openapi/describe.js';
import { CHANGE_RECORD_ERRORS, CREATED_AT, READ_RECORD_ERRORS, recordParameter } from '../http/record.openapi.js';

const SINKS: Tag = { name: 'Sinks', description: 'Outputs that get the changes of a tenant', place: 45 };

const nothing = Type.Null();
const values = (description: string) =>
  Type.Union([Type.Array(Type.String()), nothing], { description: `${description} null: any.` });
const filter = {
  things: values('Names of things; with `*` at the end, all that begin so.'),
  shadows: values('Names of shadows, as `things`; `.classic` is the classic one.'),
  kinds: Type.Union([Type.Array(Type.String()), nothing], {
    description: '`updated`, `deleted` and `presence`. null: the first two.',
  }),
  paths: values('JSON Pointers into the state, of which a change touches one.'),
  delta: Type.Boolean({ description: 'Only what leaves a difference between desired and reported.' }),
};
const kind = Type.String({ description: 'Of the output, such as `nats` or `redis`. It never changes.' });
const settings = Type.Record(Type.String(), Type.Unknown(), { description: 'Of the kind, see docs/sinks.md.' });
const paused = Type.Boolean({ description: 'Nothing is sent; it goes on later from where it stopped.' });

const Owner = Type.Object(
  {
    node: Type.String(),
    shards: Type.Array(Type.String(), { description: 'Which of the 16 parts it sends.' }),
    confirmedRevision: Type.Union([Type.Integer(), nothing], {
      description: 'Everything up to this revision is safe in the sink.',
    }),
    inFlight: Type.Integer({ description: 'Changes on their way.' }),
    revisionsBehind: Type.Integer({ description: 'Of those that were read; more may wait in etcd.' }),
    secondsBehind: Type.Integer({ description: 'Age of the oldest change that is not safe in the sink.' }),
    ok: Type.Boolean(),
    reason: Type.String({ description: 'What it does, or what is in its way.' }),
  },
  { $id: 'SinkOwner' },
);
export const SinkView = Type.Object(
  {
    sink: Type.String(),
    kind,
    settings,
    secrets: Type.Array(Type.String(), { description: 'Names of the settings that are kept, and never shown.' }),
    filter: Type.Object(filter),
    paused,
    pauseReason: Type.String({ description: 'Why the service has paused it; empty: somebody has.' }),
    createdAt: CREATED_AT,
    fault: Type.Union([Type.String(), nothing], { description: 'Why the node that answers cannot run it.' }),
    owners: Type.Array(Owner, { description: 'Nodes that send it now, as they said within the last seconds.' }),
  },
  { $id: 'Sink' },
);
export type SinkView = Static<typeof SinkView>;
const SinkMembers = Type.Object(
  {
    kind: Type.Optional(kind),
    settings: Type.Optional(settings),
    filter: Type.Optional(Type.Partial(Type.Object(filter))),
    paused: Type.Optional(paused),
    initial: Type.Optional(Type.Boolean({ description: 'A new sink is sent the present state of all shadows first.' })),
  },
  { $id: 'SinkMembers' },
);
const Sinks = Type.Object({ sinks: Type.Array(SinkView), next: Type.Optional(Type.String()) }, { $id: 'Sinks' });

const GIVEN = {
  kind: 'nats',
  settings: { servers: ['nats://nats.example.com:4222'], stream: 'UMBRA', user: 'umbra', password: 'a secret' },
  filter: { things: ['lamp-*'] },
};
const EXAMPLE: SinkView = {
  sink: 'events',
  kind: 'nats',
  settings: { servers: ['nats://nats.example.com:4222'], stream: 'UMBRA', user: 'umbra' },
  secrets: ['password'],
  filter: { things: ['lamp-*'], shadows: null, kinds: null, paths: null, delta: false },
  paused: false,
  pauseReason: '',
  createdAt: '2023-11-14T22:13:20.000Z',
  fault: null,
  owners: [
    {
      ...{ node: 'umbra-1', shards: ['0', '1'], confirmedRevision: 4711, inFlight: 0 },
      ...{ revisionsBehind: 0, secondsBehind: 0, ok: true, reason: 'connected to nats.example.com:4222' },
    },
  ],
};
const SINK = recordParameter('sink', 'Name of the sink, unique in its tenant.', '^[a-z][a-z0-9-]{0,63}$');
const headers = { etag: 'Revision of the record.' };
const example = { examples: { sink: EXAMPLE } };
const STORE = { storageUnavailable: '' } as const;

export const listSinks: OperationDescription = {
  id: 'listSinks',
  tag: SINKS,
  summary: 'Sinks of the tenant, and how far each is',
  parameters: [LIMIT, AFTER],
  answers: { 200: { description: 'A page', schema: Sinks, examples: { page: { sinks: [EXAMPLE] } } } },
  errors: {
    ...READ_RECORD_ERRORS,
    ...STORE,
    invalidRequest: 'limit must be given once, as a whole number from 1 to 100',
  },
};

export const getSink: OperationDescription = {
  id: 'getSink',
  tag: SINKS,
  summary: 'A sink, and how far it is',
  parameters: [SINK],
  answers: { 200: { description: 'The sink', schema: SinkView, headers, ...example } },
  errors: { ...READ_RECORD_ERRORS, ...STORE },
};

export const updateSink: OperationDescription = {
  id: 'updateSink',
  tag: SINKS,
  summary: 'Make or replace a sink',
  description:
    'A new sink gets every change that is committed after the answer, at least once, those of one shadow in their order. Members that are left out are those of a new sink; secrets that are left out stay while the servers do. Replacing one takes If-Match.',
  parameters: [SINK, IF_MATCH, IF_NONE_MATCH],
  body: { schema: SinkMembers, required: true, examples: { nats: GIVEN } },
  answers: {
    200: { description: 'Replaced', schema: SinkView, headers, ...example },
    201: { description: 'Made', schema: SinkView, headers, ...example },
  },
  errors: { ...CHANGE_RECORD_ERRORS, invalidJson: ': Unexpected end of JSON input' },
};

export const deleteSink: OperationDescription = {
  id: 'deleteSink',
  tag: SINKS,
  summary: 'Delete a sink',
  description: 'What it has sent stays where it is.',
  parameters: [SINK, IF_MATCH],
  answers: { 204: { description: 'Deleted' } },
  errors: CHANGE_RECORD_ERRORS,
};

export const TestedSink = Type.Object(
  {
    event: Type.String({ description: 'Its `webhook-id`.' }),
    delivered: Type.Boolean({ description: 'Whether the endpoint answered with success.' }),
    status: Type.Union([Type.Integer(), nothing], { description: 'Of the answer; null: there was none.' }),
    durationMs: Type.Integer(),
    error: Type.Union([Type.String(), nothing], { description: 'What a change would be sent again for.' }),
  },
  { $id: 'TestedSink' },
);
export type TestedSink = Static<typeof TestedSink>;

const TESTED: TestedSink = {
  ...{ event: 'evt_test_0b0a9b0e-5c51-4f6c-9d0e-6b8f5c1f5d3a', delivered: false, status: 500, durationMs: 41 },
  error: 'status 500',
};

export const testSink: OperationDescription = {
  id: 'testSink',
  tag: SINKS,
  summary: 'Send one test event to the endpoint of a webhook',
  description:
    'Signed as every event is, with the type `sink.test`, from the node that answers, also while the sink is paused. It is sent once, within 5 seconds, and is never a dead letter. Other kinds take none.',
  parameters: [SINK],
  answers: {
    200: { description: 'What the endpoint has answered', schema: TestedSink, examples: { failed: TESTED } },
  },
  errors: {
    ...READ_RECORD_ERRORS,
    forbidden: '',
    invalidRequest: 'The service makes the event; send no body',
    invalidJson: ': Unexpected end of JSON input',
  },
};
