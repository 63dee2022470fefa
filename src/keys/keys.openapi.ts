import Type, { type Static } from 'typebox';
import { type OperationDescription, type Tag } from '../http/openapi/describe.js';
import { CHANGE_RECORD_ERRORS, CREATED_AT, READ_RECORD_ERRORS, recordParameter } from '../http/record.openapi.js';

const KEYS: Tag = { name: 'Keys', description: 'By which principals are known', place: 51 };

const KeyKind = Type.Union([Type.Literal('secret'), Type.Literal('aws')]);

export const Key = Type.Object(
  {
    id: Type.String(),
    principal: Type.String(),
    kind: KeyKind,
    title: Type.String(),
    disabled: Type.Boolean(),
    createdAt: CREATED_AT,
    expiresAt: Type.Union([Type.String(), Type.Null()]),
  },
  { $id: 'Key' },
);
export type Key = Static<typeof Key>;

const Keys = Type.Object({ keys: Type.Array(Key) }, { $id: 'Keys' });
const NewKey = Type.Object(
  {
    id: Type.String({ description: 'Of an access key: what clients of AWS call the access key id.' }),
    key: Type.Optional(Type.String({ description: 'The key itself. It is said only here, and kept nowhere.' })),
    secret: Type.Optional(
      Type.String({ description: 'Of an access key: the secret access key, which is said only here.' }),
    ),
  },
  { $id: 'NewKey' },
);
const KeyMembers = Type.Partial(
  Type.Object({
    kind: Type.Union(KeyKind.anyOf, {
      description: 'What it proves its owner by: being sent as it is (secret, if nothing is said), or signing (aws).',
    }),
    title: Type.String(),
    expiresIn: Type.Integer({ minimum: 1, description: 'Seconds.' }),
  }),
  { $id: 'KeyMembers' },
);

const PRINCIPAL = recordParameter('principal', 'Whose key it is.');
const KEY = recordParameter('key', 'Id of the key.', '^[a-zA-Z0-9_-]{1,64}$');
const EXAMPLE: Key = {
  id: '4fJ0sQ8pTz1aXw2',
  principal: 'lamp-1',
  kind: 'secret',
  title: '',
  disabled: false,
  createdAt: '2023-11-14T22:13:20.000Z',
  expiresAt: null,
};

export const listKeys: OperationDescription = {
  id: 'listKeys',
  tag: KEYS,
  summary: 'Keys of a principal',
  parameters: [PRINCIPAL],
  answers: { 200: { description: 'All of them', schema: Keys, examples: { keys: { keys: [EXAMPLE] } } } },
  errors: READ_RECORD_ERRORS,
};

export const createKey: OperationDescription = {
  id: 'createKey',
  tag: KEYS,
  summary: 'Make a key',
  description:
    'The principal sends it as the password of MQTT, with any user name, or as `Authorization: Bearer` over HTTP. With an ' +
    'access key (`aws`) the clients of AWS sign their requests and the URLs of their WebSockets.',
  parameters: [PRINCIPAL],
  body: {
    schema: KeyMembers,
    required: false,
    examples: { day: { title: 'for a day', expiresIn: 86400 }, aws: { kind: 'aws' } },
  },
  answers: {
    201: {
      description: 'Made',
      schema: NewKey,
      examples: {
        key: { id: '4fJ0sQ8pTz1aXw2', key: 'umk_4fJ0sQ8pTz1aXw2(53 characters more)' },
        accessKey: { id: 'UMBA4YXWGQ2PL6TB3KZN', secret: '(40 characters)' },
      },
    },
  },
  errors: { ...CHANGE_RECORD_ERRORS, invalidJson: ': Unexpected end of JSON input' },
};

export const deleteKey: OperationDescription = {
  id: 'deleteKey',
  tag: KEYS,
  summary: 'Withdraw a key',
  description: 'Connections and streams that were opened with it end.',
  parameters: [PRINCIPAL, KEY],
  answers: { 204: { description: 'Withdrawn' } },
  errors: CHANGE_RECORD_ERRORS,
};
