import Type, { type Static } from 'typebox';
import { LIMIT } from '../http/http.openapi.js';
import { type OperationDescription, type Tag } from '../http/openapi/describe.js';
import { queryParameter } from '../http/openapi/parameters.js';
import { CREATED_AT } from '../http/record.openapi.js';

const AUDIT: Tag = { name: 'Audit', description: 'What was done and what was refused', place: 59 };

const orNull = Type.Union([Type.String(), Type.Null()]);

export const AuditEventView = Type.Object(
  {
    time: CREATED_AT,
    action: Type.String({ description: 'Such as policy:update, mqtt:connect.' }),
    actor: Type.Union([Type.Object({ id: Type.String(), tenant: Type.String(), credential: orNull }), Type.Null()], {
      description: 'null: the caller is not known.',
    }),
    tenant: orNull,
    target: Type.String({ description: 'A path, a topic, a filter, or client/ with a client identifier.' }),
    address: Type.String(),
    outcome: Type.Union([Type.Literal('done'), Type.Literal('refused'), Type.Literal('failed')]),
    code: orNull,
    requestId: orNull,
    clientId: orNull,
    count: Type.Integer({ description: 'How often: refusals of one kind within 10 seconds are one event.' }),
  },
  { $id: 'AuditEvent' },
);
export type AuditEventView = Static<typeof AuditEventView>;

const AuditEvents = Type.Object(
  {
    events: Type.Array(AuditEventView),
    next: Type.String(),
    node: Type.String({ description: 'UMBRA_NODE_ID of the node whose events these are; others have their own.' }),
  },
  { $id: 'AuditEvents' },
);

const EXAMPLE: AuditEventView = {
  time: '2023-11-14T22:13:20.000Z',
  action: 'key:delete',
  actor: { id: 'chief', tenant: 'default', credential: 'key:4fJ0sQ8pTz1aXw2' },
  tenant: 'default',
  target: '/v1/principals/lamp-1/keys/9aX0sQ8pTz1aXw2',
  address: '192.0.2.7',
  outcome: 'done',
  code: null,
  requestId: '6f1c2d3e-0000-4000-8000-000000000000',
  clientId: null,
  count: 1,
};

export const getAudit: OperationDescription = {
  id: 'getAudit',
  tag: AUDIT,
  summary: 'What was done and refused on this node',
  description:
    'Events of the tenant of the caller, the oldest first, as far as this node has them in memory: each node has its own, and the log has all. `next` is always there; ask again with it for what comes later.',
  parameters: [
    LIMIT,
    queryParameter('after', '`next` of the page before. 410 when the node has forgotten what came after it.', {
      type: 'string',
    }),
    queryParameter('actor', 'Id of a principal.', { type: 'string' }),
    queryParameter('action', 'Such as policy:update.', { type: 'string' }),
    queryParameter('target', 'What the target begins with.', { type: 'string' }),
    queryParameter('outcome', 'done, refused or failed.', { type: 'string', enum: ['done', 'refused', 'failed'] }),
  ],
  answers: {
    200: {
      description: 'A page',
      schema: AuditEvents,
      examples: { page: { events: [EXAMPLE], next: 'q0J8x2Zc.17', node: 'umbra-1' } },
    },
  },
  errors: {
    credentialsMissing: '',
    credentialsUnknown: '',
    credentialsExpired: '',
    credentialsRevoked: '',
    notAllowed: 'umbra:AdminRead on tenant/default',
    invalidRequest: 'outcome must be done, refused or failed',
    cursorGone: 'the node keeps only the latest events; the log has the others',
  },
};
