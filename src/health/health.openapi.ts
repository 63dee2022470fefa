import Type from 'typebox';
import type { OperationDescription, Tag } from '../http/openapi/describe.js';

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
