import type { OperationDescription } from '../http/openapi/describe.js';

const version = '0.1.0';
const part = (ok: boolean, reason: string): object => ({ ok, reason, since: '2023-11-14T22:13:20.000Z' });

export const live: OperationDescription = {
  id: 'live',
  tag: 'Health',
  summary: 'Whether the process answers',
  answers: { 200: { description: 'It does', schema: 'Live', examples: { live: { live: true } } } },
};

export const ready: OperationDescription = {
  id: 'ready',
  tag: 'Health',
  summary: 'Whether this node can serve clients',
  answers: {
    200: {
      description: 'Every part is well',
      schema: 'Ready',
      examples: {
        ready: {
          ready: true,
          version,
          parts: { draining: part(true, 'not draining'), etcd: part(true, 'answers in 0.4 ms') },
        },
      },
    },
    503: {
      description: 'Some part is not',
      schema: 'Ready',
      examples: { draining: { ready: false, version, parts: { draining: part(false, 'the node is shutting down') } } },
    },
  },
};
