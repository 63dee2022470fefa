import Type, { type Static } from 'typebox';
import { AFTER, IF_MATCH, IF_NONE_MATCH, LIMIT } from '../http/http.openapi.js';
import { type OperationDescription, type Tag } from '../http/openapi/describe.js';
import { CHANGE_RECORD_ERRORS, CREATED_AT, READ_RECORD_ERRORS, recordParameter } from '../http/record.openapi.js';

const POLICIES: Tag = { name: 'Policies', description: 'Who may do what: AWS IoT policy documents', place: 52 };

const Document = Type.Record(Type.String(), Type.Unknown(), { $id: 'PolicyDocument' });
const Version = Type.Object({ version: Type.Integer(), createdAt: CREATED_AT, createdBy: Type.String() });

export const Policy = Type.Object(
  {
    policy: Type.String(),
    document: Document,
    notes: Type.Array(Type.String(), { description: 'What of it has no effect here, such as a misspelt action.' }),
    version: Type.Integer({ description: 'The version that counts.' }),
    versions: Type.Array(Version, { description: 'Those that are kept.' }),
    builtIn: Type.Boolean(),
  },
  { $id: 'Policy' },
);
export type Policy = Static<typeof Policy>;

const Policies = Type.Object({ policies: Type.Array(Policy), next: Type.Optional(Type.String()) }, { $id: 'Policies' });

const Permission = Type.Object({
  policy: Type.String(),
  statement: Type.Integer({ description: 'Its index in the document.' }),
  source: Document,
});
export const Explained = Type.Object(
  {
    effect: Type.Union([Type.Literal('allow'), Type.Literal('deny'), Type.Literal('none')]),
    policy: Type.Union([Type.String(), Type.Null()]),
    statement: Type.Union([Type.Integer(), Type.Null()]),
    source: Type.Union([Document, Type.Null()], { description: 'The statement that decided.' }),
    active: Type.Boolean({ description: 'False: principal or tenant is disabled, and nothing is allowed.' }),
    permissions: Type.Array(Permission, { description: 'All statements that the principal is subject to.' }),
  },
  { $id: 'Explained' },
);
export type Explained = Static<typeof Explained>;

const Question = Type.Object(
  {
    principal: Type.String(),
    action: Type.String(),
    resource: Type.String(),
    clientId: Type.Optional(Type.String()),
    address: Type.Optional(Type.String()),
  },
  { $id: 'PolicyQuestion' },
);

const DOCUMENT = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'iot:GetThingShadow', Resource: 'arn:aws:iot:*:*:thing/lamp-1' }],
};
const EXAMPLE: Policy = {
  policy: 'read-lamp-1',
  document: DOCUMENT,
  notes: [],
  version: 2,
  versions: [
    { version: 1, createdAt: '2023-11-14T22:13:20.000Z', createdBy: 'admin' },
    { version: 2, createdAt: '2023-11-14T22:14:20.000Z', createdBy: 'admin' },
  ],
  builtIn: false,
};
const EXPLAINED: Explained = {
  effect: 'allow',
  policy: 'read-lamp-1',
  statement: 0,
  source: DOCUMENT.Statement[0]!,
  active: true,
  permissions: [{ policy: 'read-lamp-1', statement: 0, source: DOCUMENT.Statement[0]! }],
};
const POLICY = recordParameter(
  'policy',
  'Name of the policy, or role:viewer and its like for a built-in one.',
  '^[a-zA-Z0-9:_+=,.@-]{1,128}$',
);
const headers = { etag: 'Revision of the record.' };
const invalidJson = ': Unexpected end of JSON input';

export const listPolicies: OperationDescription = {
  id: 'listPolicies',
  tag: POLICIES,
  summary: 'Policies of the tenant, and the built-in roles',
  parameters: [LIMIT, AFTER],
  answers: { 200: { description: 'A page', schema: Policies, examples: { page: { policies: [EXAMPLE] } } } },
  errors: { ...READ_RECORD_ERRORS, invalidRequest: 'limit must be given once, as a whole number from 1 to 100' },
};

export const getPolicy: OperationDescription = {
  id: 'getPolicy',
  tag: POLICIES,
  summary: 'A policy with its versions',
  parameters: [POLICY],
  answers: { 200: { description: 'The policy', schema: Policy, headers, examples: { policy: EXAMPLE } } },
  errors: READ_RECORD_ERRORS,
};

export const updatePolicy: OperationDescription = {
  id: 'updatePolicy',
  tag: POLICIES,
  summary: 'Store a policy',
  description:
    'The body is the AWS IoT policy document. Its last five versions are kept. Replacing one takes If-Match.',
  parameters: [POLICY, IF_MATCH, IF_NONE_MATCH],
  body: { schema: Document, required: true, examples: { document: DOCUMENT } },
  answers: {
    200: { description: 'A new version', schema: Policy, headers, examples: { policy: EXAMPLE } },
    201: { description: 'Created', schema: Policy, headers, examples: { policy: EXAMPLE } },
  },
  errors: CHANGE_RECORD_ERRORS,
};

export const rollbackPolicy: OperationDescription = {
  id: 'rollbackPolicy',
  tag: POLICIES,
  summary: 'Make a kept version the one that counts',
  parameters: [POLICY, IF_MATCH],
  body: {
    schema: Type.Object({ version: Type.Integer() }, { $id: 'PolicyVersion' }),
    required: true,
    examples: { version: { version: 1 } },
  },
  answers: { 200: { description: 'The policy', schema: Policy, headers, examples: { policy: EXAMPLE } } },
  errors: { ...CHANGE_RECORD_ERRORS, invalidJson },
};

export const deletePolicy: OperationDescription = {
  id: 'deletePolicy',
  tag: POLICIES,
  summary: 'Delete a policy that nobody has any more',
  parameters: [POLICY, IF_MATCH],
  answers: { 204: { description: 'Deleted' } },
  errors: CHANGE_RECORD_ERRORS,
};

export const explainPolicies: OperationDescription = {
  id: 'explainPolicies',
  tag: POLICIES,
  summary: 'Why a principal may do something, or not',
  parameters: [],
  body: {
    schema: Question,
    required: true,
    examples: { question: { principal: 'lamp-1', action: 'iot:GetThingShadow', resource: 'thing/lamp-1' } },
  },
  answers: { 200: { description: 'The decision', schema: Explained, examples: { allowed: EXPLAINED } } },
  errors: { ...READ_RECORD_ERRORS, invalidRequest: 'action must be a text of 1 to 1024 characters', invalidJson },
};
