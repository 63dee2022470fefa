import Type from 'typebox';
import type { JsonObject } from '../document/shadow-document.js';
import type { OperationDescription, Tag } from '../http/openapi/describe.js';
import { IDEMPOTENCY_KEY } from '../idempotency/idempotency.openapi.js';
import { UMBRA_LEASE } from '../leases/leases.openapi.js';
import type { RunEnd } from './bulk-run.js';

const BULK: Tag = { name: 'Bulk', description: 'Many shadows changed by one request, each by itself', place: 26 };

const Data = Type.Unsafe<JsonObject>({ type: 'object', additionalProperties: true });

export const BulkLine = Type.Object(
  {
    id: Type.Optional(
      Type.String({ minLength: 1, maxLength: 128, description: 'Name of the line within the Idempotency-Key.' }),
    ),
    thing: Type.String({ pattern: '^[a-zA-Z0-9:_-]{1,128}$' }),
    shadow: Type.Optional(
      Type.Union([Type.String({ pattern: '^[$a-zA-Z0-9:_-]{1,64}$' }), Type.Null()], {
        description: 'A named shadow; null or absent: the classic one.',
      }),
    ),
    desired: Type.Union([Data, Type.Null()], { description: 'A merge patch of the section; null clears it.' }),
    version: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Only if the shadow is at this version; else 409.' }),
    ),
  },
  { $id: 'BulkLine', additionalProperties: false, description: 'One line of the body.' },
);

const place = { line: Type.Integer({ description: 'From 1.' }), id: Type.Optional(Type.String()) };

/** Why an answer ends: all ends of a run but that of a client that has left. */
const REASONS: Readonly<Record<Exclude<RunEnd, 'gone'>, true>> = {
  complete: true,
  'line-too-long': true,
  stalled: true,
  'too-slow': true,
  draining: true,
  forbidden: true,
  'lease-ended': true,
  'lease-not-yours': true,
  'storage-unavailable': true,
  'storage-full': true,
  failed: true,
};

export const BulkResult = Type.Union(
  [
    Type.Object({
      ...place,
      version: Type.Integer(),
      revision: Type.Integer({ description: 'Of the commit.' }),
      replayed: Type.Optional(Type.Literal(true, { description: 'The line was carried out before.' })),
    }),
    Type.Object({
      ...place,
      error: Type.Object({
        type: Type.String(),
        title: Type.String(),
        status: Type.Integer(),
        code: Type.Optional(Type.String()),
        detail: Type.String(),
      }),
    }),
    Type.Object({
      end: Type.Object({
        reason: Type.Enum(Object.keys(REASONS)),
        message: Type.Optional(Type.String({ description: 'What to do, unless the body was read to its end.' })),
        lines: Type.Integer(),
        changed: Type.Integer(),
        replayed: Type.Integer({ description: 'Of those that are counted as changed.' }),
        refused: Type.Integer(),
      }),
    }),
  ],
  { $id: 'BulkResult', description: 'One line of the answer. Without an `end` it was cut off.' },
);

const CONFLICT = {
  ...{ type: 'urn:umbra:problem:version-conflict', title: 'Version conflict', status: 409 },
  detail: 'Version conflict',
};

export const changeInBulk: OperationDescription = {
  id: 'changeInBulk',
  tag: BULK,
  summary: 'Change the desired section of many shadows',
  description:
    'One JSON object a line, in the body and in the answer. Lines are carried out as they come, several at once, those of one shadow in their order; results come in the order of the lines. A line that is refused does not hold up the others. The last line of the answer says why it ended. With an Idempotency-Key the same lines may be sent again, through any node: those that were carried out get their first results.',
  parameters: [UMBRA_LEASE, IDEMPOTENCY_KEY],
  body: {
    schema: BulkLine,
    required: true,
    contentType: 'application/x-ndjson',
    examples: {
      'a line': { thing: 'lamp-1', desired: { mode: 'night' } },
      'a line with all members': {
        ...{ id: 'lamp-2/night', thing: 'lamp-2', shadow: 'settings', desired: { mode: null }, version: 3 },
      },
    },
  },
  answers: {
    200: {
      description: 'A result for each line, as it comes',
      schema: BulkResult,
      contentType: 'application/x-ndjson',
      examples: {
        changed: { line: 1, version: 4, revision: 1207 },
        'changed before': { line: 2, id: 'lamp-2/night', version: 4, revision: 1180, replayed: true },
        refused: { line: 3, error: CONFLICT },
        end: { end: { reason: 'complete', lines: 3, changed: 2, replayed: 1, refused: 1 } },
      },
    },
  },
  errors: {
    invalidRequest: 'Idempotency-Key must be given once, as 1 to 255 visible ASCII characters',
    forbidden: '',
    tooManyRequests: '4 bulk requests of this tenant are under way on this node already',
    internal: '',
    switchedOff: 'bulk requests',
    draining: '',
  },
};
