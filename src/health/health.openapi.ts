import Type, { type Static } from 'typebox';
import type { OperationDescription, Tag } from '../http/openapi/describe.js';
import { READ_RECORD_ERRORS } from '../http/record.openapi.js';

const HEALTH: Tag = { name: 'Health', description: 'For load balancers and supervisors', place: 50 };

const Part = Type.Object({
  ok: Type.Boolean(),
  since: Type.String({ format: 'date-time' }),
  reason: Type.Optional(Type.String()),
  warnings: Type.Optional(Type.Array(Type.String())),
  members: Type.Optional(Type.Array(Type.Object({ member: Type.String(), ok: Type.Boolean(), reason: Type.String() }))),
});
const Live = Type.Object({ live: Type.Boolean() }, { $id: 'Live' });
const Ready = Type.Object(
  {
    ready: Type.Boolean(),
    version: Type.String(),
    parts: Type.Unsafe<object>({ type: 'object', additionalProperties: Part }),
  },
  { $id: 'Ready' },
);

const Failures = Type.Object({
  count: Type.Integer({
    description: 'How often the part failed since the start of the node, after it had been ready.',
  }),
  last: Type.Union([
    Type.Object({
      at: Type.String({ format: 'date-time' }),
      reason: Type.String(),
      seconds: Type.Union([Type.Number(), Type.Null()], { description: 'null: the part has not recovered.' }),
    }),
    Type.Null(),
  ]),
});
const Server = Type.Object({
  member: Type.String(),
  leader: Type.Boolean(),
  usedBytes: Type.Integer(),
  quotaShare: Type.Number({ description: 'Of UMBRA_ETCD_QUOTA_BYTES: 1 is full.' }),
});
const RecordFormats = Type.Object(
  { reads: Type.Array(Type.Integer()), writes: Type.Integer() },
  { description: 'Forms of records that this version reads, and the one that this node writes.' },
);

export const Status = Type.Object(
  {
    node: Type.String(),
    ready: Type.Boolean(),
    version: Type.String(),
    startedAt: Type.String({ format: 'date-time' }),
    parts: Type.Record(Type.String(), Type.Object({ ...Part.properties, failures: Failures })),
    storage: Type.Union(
      [
        Type.Object({
          ...{ quotaBytes: Type.Integer(), full: Type.Boolean(), members: Type.Array(Server) },
          recordFormats: RecordFormats,
        }),
        Type.Null(),
      ],
      { description: 'Members of etcd that answered the last look, which is taken every 3 seconds.' },
    ),
    nodes: Type.Union([Type.Array(Type.String()), Type.Null()], {
      description: 'Names of all nodes that live, but for those with an etcd of their own; null: etcd does not say.',
    }),
  },
  { $id: 'Status' },
);
export type Status = Static<typeof Status>;

const version = '0.1.0';
const part = (ok: boolean, reason: string): object => ({ ok, reason, since: '2023-11-14T22:13:20.000Z' });

export const live: OperationDescription = {
  id: 'live',
  tag: HEALTH,
  summary: 'Whether the process answers',
  answers: { 200: { description: 'The process answers', schema: Live, examples: { live: { live: true } } } },
};

export const ready: OperationDescription = {
  id: 'ready',
  tag: HEALTH,
  summary: 'Whether this node can serve clients',
  answers: {
    200: {
      description: 'Every part is ready',
      schema: Ready,
      examples: {
        ready: {
          ready: true,
          version,
          parts: { draining: part(true, 'not draining'), etcd: part(true, 'answers in 0.4 ms') },
        },
      },
    },
    503: {
      description: 'A part is not ready',
      schema: Ready,
      examples: { draining: { ready: false, version, parts: { draining: part(false, 'the node is shutting down') } } },
    },
  },
};

const failed = { count: 2, last: { at: '2023-11-14T22:13:20.000Z', reason: 'etcd does not answer', seconds: 4.1 } };

export const healthStatus: OperationDescription = {
  id: 'getStatus',
  tag: HEALTH,
  summary: 'How this node is, for operators',
  description:
    'With the failures of each part since the start. A node without authentication answers only to its own machine.',
  answers: {
    200: {
      description: 'As of now',
      schema: Status,
      examples: {
        status: {
          ...{ node: 'umbra-1', ready: true, version, startedAt: '2023-11-14T20:00:00.000Z' },
          parts: { etcd: { ...part(true, 'answers in 0.4 ms'), failures: failed } },
          storage: {
            ...{ quotaBytes: 8_589_934_592, full: false, recordFormats: { reads: [1, 2], writes: 2 } },
            members: [{ member: 'etcd-0:2379', leader: true, usedBytes: 85_899_345, quotaShare: 0.01 }],
          },
          nodes: ['umbra-1', 'umbra-2'],
        },
      },
    },
  },
  errors: { ...READ_RECORD_ERRORS, forbidden: '' },
};
