import Type, { type Static } from 'typebox';
import { AFTER, IF_MATCH, IF_NONE_MATCH, LIMIT } from '../http/http.openapi.js';
import { type OperationDescription, type Tag } from '../http/openapi/describe.js';
import { CHANGE_RECORD_ERRORS, CREATED_AT, READ_RECORD_ERRORS, recordParameter } from '../http/record.openapi.js';

const AUTHORITIES: Tag = { name: 'Authorities', description: 'Whose certificates devices are known by', place: 53 };

const nothing = Type.Null();
const members = {
  nameFrom: Type.Union([Type.Literal('commonName'), Type.Literal('dnsName'), Type.Literal('uri')], {
    description: 'Where its certificates have the name of their thing.',
  }),
  disabled: Type.Boolean(),
  registersAtFirstSight: Type.Boolean({
    description: 'Whether a device becomes a principal with the role device when it first connects.',
  }),
  policies: Type.Array(Type.String(), { description: 'Of the principals that are made so.' }),
};
const pem = Type.String({ description: 'Its certificate in PEM.' });

export const Authority = Type.Object(
  {
    authority: Type.String({ description: 'SHA-256 of its certificate.' }),
    pem,
    key: Type.Union([Type.String(), nothing], { description: 'SHA-256 of its public key, which revocations name.' }),
    notAfter: Type.Union([Type.String(), nothing], { description: 'RFC 3339.' }),
    ...members,
    createdAt: CREATED_AT,
    fault: Type.Union([Type.String(), nothing], { description: 'Why it is not used.' }),
  },
  { $id: 'Authority' },
);
export type Authority = Static<typeof Authority>;

const AuthorityMembers = Type.Partial(
  Type.Object({
    pem,
    proof: Type.String({
      description:
        'A certificate in PEM that it has issued for the code of this tenant, which the answer to a request without `proof` says. For a new authority only.',
    }),
    ...members,
  }),
  { $id: 'AuthorityMembers' },
);
const Authorities = Type.Object(
  { authorities: Type.Array(Authority), next: Type.Optional(Type.String()) },
  { $id: 'Authorities' },
);

const PEM = '-----BEGIN CERTIFICATE-----\nMIIB…\n-----END CERTIFICATE-----\n';
const EXAMPLE: Authority = {
  authority: 'b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c',
  pem: PEM,
  key: '7d865e959b2466918c9863afca942d0fb89d7c9ac0c99bafc3749504ded97730',
  notAfter: '2033-11-14T22:13:20.000Z',
  nameFrom: 'commonName',
  disabled: false,
  registersAtFirstSight: true,
  policies: [],
  createdAt: '2023-11-14T22:13:20.000Z',
  fault: null,
};
const AUTHORITY = recordParameter('authority', 'SHA-256 of its certificate in hexadecimal, also as AB:CD:…');
const headers = { etag: 'Revision of the record.' };

export const listAuthorities: OperationDescription = {
  id: 'listAuthorities',
  tag: AUTHORITIES,
  summary: 'Authorities of the tenant',
  parameters: [LIMIT, AFTER],
  answers: {
    200: { description: 'A page', schema: Authorities, examples: { page: { authorities: [EXAMPLE] } } },
  },
  errors: { ...READ_RECORD_ERRORS, invalidRequest: 'limit must be given once, as a whole number from 1 to 100' },
};

export const getAuthority: OperationDescription = {
  id: 'getAuthority',
  tag: AUTHORITIES,
  summary: 'An authority',
  parameters: [AUTHORITY],
  answers: { 200: { description: 'The authority', schema: Authority, headers, examples: { authority: EXAMPLE } } },
  errors: READ_RECORD_ERRORS,
};

export const updateAuthority: OperationDescription = {
  id: 'updateAuthority',
  tag: AUTHORITIES,
  summary: 'Register or replace an authority',
  description:
    'Members that are left out are those of a new authority; the certificate stays. A new one needs `pem` and `proof`; without `proof` the answer is 400 and says what has to be proved. Replacing one takes If-Match.',
  parameters: [AUTHORITY, IF_MATCH, IF_NONE_MATCH],
  body: {
    schema: AuthorityMembers,
    required: true,
    examples: { first: { pem: PEM }, proved: { pem: PEM, proof: PEM, registersAtFirstSight: true } },
  },
  answers: {
    200: { description: 'Replaced', schema: Authority, headers, examples: { authority: EXAMPLE } },
    201: { description: 'Registered', schema: Authority, headers, examples: { authority: EXAMPLE } },
  },
  errors: { ...CHANGE_RECORD_ERRORS, invalidJson: ': Unexpected end of JSON input' },
};

export const deleteAuthority: OperationDescription = {
  id: 'deleteAuthority',
  tag: AUTHORITIES,
  summary: 'Delete an authority',
  description: 'Connections and streams of its devices end, unless they have shown another credential.',
  parameters: [AUTHORITY, IF_MATCH],
  answers: { 204: { description: 'Deleted' } },
  errors: CHANGE_RECORD_ERRORS,
};
