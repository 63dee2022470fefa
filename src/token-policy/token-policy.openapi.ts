import Type, { type Static } from 'typebox';
import { IF_MATCH, IF_NONE_MATCH } from '../http/http.openapi.js';
import type { OperationDescription, Tag } from '../http/openapi/describe.js';
import { CHANGE_RECORD_ERRORS, READ_RECORD_ERRORS } from '../http/record.openapi.js';

const TOKEN_POLICY: Tag = {
  name: 'Token policy',
  description: 'How long tokens live, and how they are bound',
  place: 55,
};

const seconds = Type.Integer({ description: 'Seconds.' });
export const TokenPolicyView = Type.Object(
  {
    tenant: Type.String({ description: 'That of the caller.' }),
    ttl: seconds,
    gracePeriod: seconds,
    forceRotate: Type.Boolean(),
    refreshTtl: seconds,
    refreshIdle: seconds,
    reuseGrace: seconds,
    clockSkew: seconds,
    binding: Type.String(),
    yaml: Type.Union([Type.String(), Type.Null()], {
      description: 'The file as it was sent, for who may change it; null: there is none, and the defaults hold.',
    }),
  },
  { $id: 'TokenPolicyView' },
);
export type TokenPolicyView = Static<typeof TokenPolicyView>;

const YAML = 'ttl: 900s\ntenants:\n  factory: { ttl: 1h, binding: client+address }\n';
const EXAMPLE: TokenPolicyView = {
  ...{ tenant: 'default', ttl: 900, gracePeriod: 0, forceRotate: false, refreshTtl: 2_592_000 },
  ...{ refreshIdle: 1_209_600, reuseGrace: 10, clockSkew: 30, binding: 'client', yaml: YAML },
};
const answer = (description: string) => ({
  description,
  schema: TokenPolicyView,
  headers: { etag: 'Revision of the record; none while the defaults hold.' },
  examples: { policy: EXAMPLE },
});

export const getTokenPolicy: OperationDescription = {
  id: 'getTokenPolicy',
  tag: TOKEN_POLICY,
  summary: 'The rules of tokens for the tenant of the caller',
  answers: { 200: answer('The rules') },
  errors: READ_RECORD_ERRORS,
};

export const updateTokenPolicy: OperationDescription = {
  id: 'updateTokenPolicy',
  tag: TOKEN_POLICY,
  summary: 'Create or replace the token policy of all tenants',
  description: 'It is taken as a whole or not at all; `errors` has every problem with its line and column.',
  parameters: [IF_MATCH, IF_NONE_MATCH],
  body: { schema: Type.String(), required: true, contentType: 'application/yaml', examples: { policy: YAML } },
  answers: { 200: answer('Replaced'), 201: answer('Created') },
  errors: { ...CHANGE_RECORD_ERRORS, invalidRequest: '1:6: ttl must be from 60s to 86400s', notUtf8: '' },
};

export const deleteTokenPolicy: OperationDescription = {
  id: 'deleteTokenPolicy',
  tag: TOKEN_POLICY,
  summary: 'Go back to the defaults',
  parameters: [IF_MATCH],
  answers: { 204: { description: 'Deleted' } },
  errors: CHANGE_RECORD_ERRORS,
};
