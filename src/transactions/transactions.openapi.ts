import Type from 'typebox';
import type { JsonObject } from '../document/shadow-document.js';
import { ClientToken } from '../http/http.openapi.js';
import { STORE_ERRORS, WRITE_ERRORS, type OperationDescription, type Tag } from '../http/openapi/describe.js';
import { REVISION } from '../http/revision.js';
import { IDEMPOTENCY_ERRORS, IDEMPOTENCY_KEY, IDEMPOTENCY_LIFETIME } from '../idempotency/idempotency.openapi.js';
import { LEASE_ERRORS, UMBRA_LEASE } from '../leases/leases.openapi.js';
import { MAX_CONDITIONS, MAX_OPERATIONS, MAX_POINTER } from './transaction-request.js';

const TRANSACTIONS: Tag = { name: 'Transactions', description: 'Several shadows changed as one, or none', place: 25 };

const Data = Type.Unsafe<JsonObject>({ type: 'object', additionalProperties: true });
const Thing = Type.String({ pattern: '^[a-zA-Z0-9:_-]{1,128}$' });
const Named = Type.String({ pattern: '^[$a-zA-Z0-9:_-]{1,64}$' });
const Shadow = Type.Union([Named, Type.Null()], { description: 'A named shadow; null or absent: the classic one.' });
const Version = Type.Integer({ minimum: 0, description: 'Only if the shadow was at this version; else 409.' });

export const TransactionCondition = Type.Object(
  {
    thing: Type.Optional(Thing),
    shadow: Type.Optional(Shadow),
    path: Type.String({
      maxLength: MAX_POINTER,
      description: 'A JSON Pointer such as `/reported/door`; empty: the whole shadow.',
    }),
    equals: Type.Optional(Type.Unsafe<unknown>({ description: 'The value that must be there.' })),
    exists: Type.Optional(Type.Boolean({ description: 'Whether there must be a value.' })),
  },
  {
    $id: 'TransactionCondition',
    additionalProperties: false,
    description: 'Without `thing` and `shadow` it is about the shadow of its operation. One of `equals` and `exists`.',
  },
);

const common = {
  thing: Thing,
  version: Type.Optional(Version),
  conditions: Type.Optional(Type.Array(TransactionCondition, { maxItems: MAX_CONDITIONS })),
};
const shadow = Type.Optional(Shadow);
const only = { additionalProperties: false };

const orNull = Type.Union([Data, Type.Null()]);
const State = Type.Union([
  Type.Object({ desired: Type.Optional(orNull), reported: Type.Optional(orNull) }),
  Type.Null(),
]);
const Section = Type.Union([Type.Literal('desired'), Type.Literal('reported')]);

export const TransactionOperation = Type.Union(
  [
    Type.Object({ op: Type.Literal('update'), ...common, shadow, state: State }, only),
    Type.Object({ op: Type.Literal('replace'), ...common, shadow, section: Section, value: Data }, only),
    Type.Object({ op: Type.Literal('delete'), ...common, shadow }, only),
    Type.Object({ op: Type.Literal('check'), ...common, shadow }, only),
    Type.Object(
      {
        op: Type.Literal('promote'),
        ...common,
        from: Named,
        to: Type.Optional(Shadow),
        fromVersion: Type.Optional(Version),
        schema: Type.Optional(Data),
      },
      only,
    ),
  ],
  { $id: 'TransactionOperation' },
);

export const Transaction = Type.Object(
  {
    operations: Type.Array(TransactionOperation, { minItems: 1, maxItems: MAX_OPERATIONS }),
    clientToken: Type.Optional(ClientToken),
  },
  { $id: 'Transaction', additionalProperties: false },
);

const Place = {
  thing: Type.String(),
  shadow: Type.Union([Type.String(), Type.Null()], { description: 'null is the classic shadow.' }),
};

export const TransactionResult = Type.Object(
  {
    op: Type.String(),
    ...Place,
    version: Type.Union([Type.Integer(), Type.Null()], { description: 'null: the shadow does not exist.' }),
    deleted: Type.Optional(Type.Literal(true)),
    state: Type.Optional(Data),
    metadata: Type.Optional(Data),
    omitted: Type.Optional(
      Type.Union([Type.Literal('shown-before'), Type.Literal('too-large')], {
        description: 'Why the document is not here: an earlier result has it, or the answer has no room for it.',
      }),
    ),
    from: Type.Optional(Type.Object({ shadow: Type.String(), version: Type.Integer() })),
  },
  { $id: 'TransactionResult', description: 'The shadow of an operation after the whole transaction.' },
);

export const TransactionCommitted = Type.Object(
  {
    revision: Type.Integer({ description: 'The one revision of all changes.' }),
    results: Type.Array(TransactionResult),
    clientToken: Type.Optional(ClientToken),
  },
  { $id: 'TransactionCommitted' },
);

const METADATA = { desired: { mode: { timestamp: 1700000000 } } };

export const transact: OperationDescription = {
  id: 'commitTransaction',
  tag: TRANSACTIONS,
  summary: 'Change up to 100 shadows as one',
  description:
    'All operations are committed at one revision, or none is. Each one sees what those before it have made; `version` is the version before the transaction. A refusal has the members `operation` (its place, from 0), `thing`, `shadow` and, for who may read it, `current`: the document before the transaction, or null.',
  parameters: [UMBRA_LEASE, IDEMPOTENCY_KEY, IDEMPOTENCY_LIFETIME],
  body: {
    schema: Transaction,
    required: true,
    examples: {
      'change two lamps': {
        operations: [
          { op: 'update', thing: 'lamp-1', state: { desired: { mode: 'night' } } },
          { op: 'update', thing: 'lamp-2', state: { desired: { mode: 'night' } } },
        ],
        clientToken: 'app-17',
      },
      'only while the door is closed': {
        operations: [
          {
            op: 'update',
            thing: 'lamp-1',
            state: { desired: { mode: 'off' } },
            conditions: [{ thing: 'door-1', path: '/reported/door', equals: 'closed' }],
          },
        ],
      },
      'promote what is staged': {
        operations: [
          {
            op: 'promote',
            thing: 'lamp-1',
            from: 'staging',
            fromVersion: 3,
            schema: { type: 'object', required: ['mode'], properties: { mode: { enum: ['day', 'night'] } } },
          },
        ],
      },
    },
  },
  answers: {
    200: {
      description: 'The shadows of the operations, in their order',
      schema: TransactionCommitted,
      headers: REVISION,
      examples: {
        committed: {
          revision: 1207,
          results: ['lamp-1', 'lamp-2'].map((thing) => ({
            ...{ op: 'update', thing, shadow: null, version: 4 },
            ...{ state: { desired: { mode: 'night' } }, metadata: METADATA },
          })),
          clientToken: 'app-17',
        },
      },
    },
  },
  errors: {
    invalidRequest: 'operations[3].op: must be one of update, replace, delete, check, promote',
    invalidJson: '',
    missingState: '',
    stateNotObject: '',
    desiredNotObject: '',
    reportedNotObject: '',
    invalidStateNode: 'delta',
    invalidClientToken: '',
    tooDeep: '8',
    nullInArray: 'desired.colors[1]',
    numberTooLarge: 'desired.level',
    invalidThingName: '',
    invalidShadowName: '',
    notAllowed: 'iot:UpdateThingShadow on thing/lamp-2',
    scopeTooSmall: 'iot:UpdateThingShadow',
    notFound: 'lamp-1',
    versionConflict: '',
    preconditionFailed: 'door-1 has another value at /reported/door',
    tooLarge: '',
    notUtf8: '',
    rateExceeded: '50 a second of this thing',
    ...LEASE_ERRORS,
    ...IDEMPOTENCY_ERRORS,
    ...STORE_ERRORS,
    ...WRITE_ERRORS,
  },
};
