import Type, { type Static } from 'typebox';
import { AFTER, IF_MATCH, LIMIT } from '../http/http.openapi.js';
import { type OperationDescription, type Tag } from '../http/openapi/describe.js';
import { pathParameter } from '../http/openapi/parameters.js';
import { CHANGE_RECORD_ERRORS, READ_RECORD_ERRORS, recordParameter } from '../http/record.openapi.js';

const REVOCATIONS: Tag = { name: 'Revocations', description: 'Certificates that hold no longer', place: 54 };

const kind = Type.Union([Type.Literal('certificate'), Type.Literal('thing'), Type.Literal('authority')]);
export const Revocation = Type.Object(
  {
    kind,
    id: Type.String(),
    reason: Type.String(),
    revokedAt: Type.String({ description: 'RFC 3339.' }),
    revokedBy: Type.String({ description: 'Principal.' }),
  },
  { $id: 'Revocation' },
);
export type Revocation = Static<typeof Revocation>;

const RevocationMembers = Type.Partial(Type.Object({ reason: Type.String() }), { $id: 'RevocationMembers' });
const Revocations = Type.Object(
  { revocations: Type.Array(Revocation), next: Type.Optional(Type.String()) },
  { $id: 'Revocations' },
);

const EXAMPLE: Revocation = {
  kind: 'thing',
  id: 'lamp-1',
  reason: 'lost',
  revokedAt: '2023-11-14T22:13:20.000Z',
  revokedBy: 'admin',
};
const KIND = pathParameter('kind', 'What is revoked.', { enum: ['certificate', 'thing', 'authority'] });
const ID = recordParameter(
  'id',
  'SHA-256 of the certificate, name of the thing, or SHA-256 of the public key of the authority.',
);
const headers = { etag: 'Revision of the record.' };

export const listRevocations: OperationDescription = {
  id: 'listRevocations',
  tag: REVOCATIONS,
  summary: 'Revocations of the tenant',
  parameters: [LIMIT, AFTER],
  answers: {
    200: { description: 'A page', schema: Revocations, examples: { page: { revocations: [EXAMPLE] } } },
  },
  errors: { ...READ_RECORD_ERRORS, invalidRequest: 'limit must be given once, as a whole number from 1 to 100' },
};

export const updateRevocation: OperationDescription = {
  id: 'updateRevocation',
  tag: REVOCATIONS,
  summary: 'Revoke a certificate, or all of a thing or an authority',
  description: 'Connections and streams that it concerns end. Repeating it changes only the reason.',
  parameters: [KIND, ID, IF_MATCH],
  body: { schema: RevocationMembers, required: false, examples: { lost: { reason: 'lost' } } },
  answers: {
    200: { description: 'It was revoked already', schema: Revocation, headers, examples: { thing: EXAMPLE } },
    201: { description: 'Revoked', schema: Revocation, headers, examples: { thing: EXAMPLE } },
  },
  errors: { ...CHANGE_RECORD_ERRORS, invalidJson: ': Unexpected end of JSON input' },
};

export const deleteRevocation: OperationDescription = {
  id: 'deleteRevocation',
  tag: REVOCATIONS,
  summary: 'Take a revocation back',
  parameters: [KIND, ID, IF_MATCH],
  answers: { 204: { description: 'Deleted' } },
  errors: CHANGE_RECORD_ERRORS,
};
