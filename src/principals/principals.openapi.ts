import Type, { type Static } from 'typebox';
import { AFTER, IF_MATCH, IF_NONE_MATCH, LIMIT } from '../http/http.openapi.js';
import { type OperationDescription, type Tag } from '../http/openapi/describe.js';
import { queryParameter } from '../http/openapi/parameters.js';
import { CHANGE_RECORD_ERRORS, CREATED_AT, READ_RECORD_ERRORS, recordParameter } from '../http/record.openapi.js';

const PRINCIPALS: Tag = { name: 'Principals', description: 'Who may act: devices, people, services', place: 50 };

const names = Type.Array(Type.String());
const members = {
  kind: Type.Union([Type.Literal('device'), Type.Literal('person'), Type.Literal('service')]),
  disabled: Type.Boolean(),
  thing: Type.Union([Type.String(), Type.Null()], { description: 'The thing whose device it is.' }),
  thingType: Type.Union([Type.String(), Type.Null()]),
  attributes: Type.Record(Type.String(), Type.String(), { description: 'Of the thing, for variables of policies.' }),
  roles: names,
  policies: names,
  groups: names,
};

export const Principal = Type.Object(
  { principal: Type.String(), ...members, createdAt: CREATED_AT },
  { $id: 'Principal' },
);
export type Principal = Static<typeof Principal>;

const PrincipalMembers = Type.Partial(Type.Object(members), { $id: 'PrincipalMembers' });
const Principals = Type.Object(
  { principals: Type.Array(Principal), next: Type.Optional(Type.String()) },
  { $id: 'Principals' },
);

const EXAMPLE: Principal = {
  principal: 'lamp-1',
  kind: 'device',
  disabled: false,
  thing: 'lamp-1',
  thingType: null,
  attributes: {},
  roles: ['device'],
  policies: [],
  groups: [],
  createdAt: '2023-11-14T22:13:20.000Z',
};
const PRINCIPAL = recordParameter('principal', 'Name of the principal, unique in its tenant.');
const headers = { etag: 'Revision of the record.' };

export const listPrincipals: OperationDescription = {
  id: 'listPrincipals',
  tag: PRINCIPALS,
  summary: 'Principals of the tenant',
  parameters: [LIMIT, AFTER, queryParameter('group', 'Members of this group alone.', { type: 'string' })],
  answers: {
    200: { description: 'A page', schema: Principals, examples: { page: { principals: [EXAMPLE] } } },
  },
  errors: { ...READ_RECORD_ERRORS, invalidRequest: 'limit must be given once, as a whole number from 1 to 100' },
};

export const getPrincipal: OperationDescription = {
  id: 'getPrincipal',
  tag: PRINCIPALS,
  summary: 'A principal',
  parameters: [PRINCIPAL],
  answers: { 200: { description: 'The principal', schema: Principal, headers, examples: { device: EXAMPLE } } },
  errors: READ_RECORD_ERRORS,
};

export const updatePrincipal: OperationDescription = {
  id: 'updatePrincipal',
  tag: PRINCIPALS,
  summary: 'Create or replace a principal',
  description: 'Members that are left out are those of a new principal. Replacing one takes If-Match.',
  parameters: [PRINCIPAL, IF_MATCH, IF_NONE_MATCH],
  body: {
    schema: PrincipalMembers,
    required: false,
    examples: { device: { thing: 'lamp-1', roles: ['device'] }, service: { kind: 'service', roles: ['service'] } },
  },
  answers: {
    200: { description: 'Replaced', schema: Principal, headers, examples: { device: EXAMPLE } },
    201: { description: 'Created', schema: Principal, headers, examples: { device: EXAMPLE } },
  },
  errors: { ...CHANGE_RECORD_ERRORS, invalidJson: ': Unexpected end of JSON input' },
};

export const deletePrincipal: OperationDescription = {
  id: 'deletePrincipal',
  tag: PRINCIPALS,
  summary: 'Delete a principal with its keys',
  description: 'Its connections and streams end.',
  parameters: [PRINCIPAL, IF_MATCH],
  answers: { 204: { description: 'Deleted' } },
  errors: CHANGE_RECORD_ERRORS,
};
