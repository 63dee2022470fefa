import Type, { type Static } from 'typebox';
import { TOKEN_ALGORITHMS } from '../access/token-algorithms.js';
import { AFTER, IF_MATCH, IF_NONE_MATCH, LIMIT } from '../http/http.openapi.js';
import { type OperationDescription, type Tag } from '../http/openapi/describe.js';
import { CHANGE_RECORD_ERRORS, CREATED_AT, READ_RECORD_ERRORS, recordParameter } from '../http/record.openapi.js';

const ISSUERS: Tag = { name: 'Issuers', description: 'Whose access tokens are accepted beside our own', place: 56 };

const nothing = Type.Null();
const texts = Type.Array(Type.String());
const members = {
  url: Type.String({ description: 'As its tokens have it in `iss`. Its keys are found by its OpenID metadata.' }),
  audiences: Type.Array(Type.String(), { description: 'One of them is in `aud` of its tokens for this service.' }),
  algorithms: Type.Array(Type.String({ enum: [...TOKEN_ALGORITHMS] }), { description: 'That it may sign with.' }),
  principalFrom: Type.String({
    description: 'The claim that names the principal, such as `sub`, or a JSON pointer such as `/user/id`.',
  }),
  rolesFrom: Type.Union([Type.String(), nothing], {
    description: 'The claim whose values stand for roles, such as `groups` or `/realm_access/roles`.',
  }),
  roles: Type.Record(Type.String(), texts, { description: 'Roles by values of that claim; never `admin`.' }),
  rolesForAll: Type.Array(Type.String(), { description: 'Roles of everybody that it names.' }),
  disabled: Type.Boolean(),
};

export const Issuer = Type.Object(
  {
    issuer: Type.String({ description: 'Its name in this tenant, which begins the ids of its principals.' }),
    ...members,
    createdAt: CREATED_AT,
    keys: Type.Union([Type.Integer(), nothing], { description: 'Number of its keys on this node; null: none yet.' }),
    fault: Type.Union([Type.String(), nothing], { description: 'Why its tokens are not accepted.' }),
  },
  { $id: 'Issuer' },
);
export type Issuer = Static<typeof Issuer>;

const IssuerMembers = Type.Partial(Type.Object(members), { $id: 'IssuerMembers' });
const Issuers = Type.Object({ issuers: Type.Array(Issuer), next: Type.Optional(Type.String()) }, { $id: 'Issuers' });

const GIVEN = {
  url: 'https://login.example.com/realms/acme',
  audiences: ['umbra'],
  rolesFrom: 'groups',
  roles: { 'shadow-operators': ['operator'] },
};
const EXAMPLE: Issuer = {
  issuer: 'corp',
  ...GIVEN,
  algorithms: ['RS256', 'ES256'],
  principalFrom: 'sub',
  rolesForAll: ['viewer'],
  disabled: false,
  createdAt: '2023-11-14T22:13:20.000Z',
  keys: 2,
  fault: null,
};
const ISSUER = recordParameter('issuer', 'Name of the issuer, unique in its tenant.', '^[a-z][a-z0-9-]{0,31}$');
const headers = { etag: 'Revision of the record.' };

export const listIssuers: OperationDescription = {
  id: 'listIssuers',
  tag: ISSUERS,
  summary: 'Issuers of the tenant',
  parameters: [LIMIT, AFTER],
  answers: {
    200: { description: 'A page', schema: Issuers, examples: { page: { issuers: [EXAMPLE] } } },
  },
  errors: { ...READ_RECORD_ERRORS, invalidRequest: 'limit must be given once, as a whole number from 1 to 100' },
};

export const getIssuer: OperationDescription = {
  id: 'getIssuer',
  tag: ISSUERS,
  summary: 'An issuer',
  parameters: [ISSUER],
  answers: { 200: { description: 'The issuer', schema: Issuer, headers, examples: { issuer: EXAMPLE } } },
  errors: READ_RECORD_ERRORS,
};

export const updateIssuer: OperationDescription = {
  id: 'updateIssuer',
  tag: ISSUERS,
  summary: 'Register or replace an issuer',
  description:
    'Members that are left out are those of a new issuer. Replacing one takes If-Match, and ends the connections of its principals, which may come back at once. An issuer on the machine of the node, or of a URL that another tenant has registered, needs `umbra:AdminTenants`.',
  parameters: [ISSUER, IF_MATCH, IF_NONE_MATCH],
  body: { schema: IssuerMembers, required: true, examples: { issuer: GIVEN } },
  answers: {
    200: { description: 'Replaced', schema: Issuer, headers, examples: { issuer: EXAMPLE } },
    201: { description: 'Registered', schema: Issuer, headers, examples: { issuer: EXAMPLE } },
  },
  errors: { ...CHANGE_RECORD_ERRORS, invalidJson: ': Unexpected end of JSON input' },
};

export const deleteIssuer: OperationDescription = {
  id: 'deleteIssuer',
  tag: ISSUERS,
  summary: 'Delete an issuer',
  description: 'Connections and streams of its principals end.',
  parameters: [ISSUER, IF_MATCH],
  answers: { 204: { description: 'Deleted' } },
  errors: CHANGE_RECORD_ERRORS,
};
