import Type, { type Static } from 'typebox';
import { AFTER, LIMIT } from '../http/http.openapi.js';
import { STORE_ERRORS, type OperationDescription, type Tag } from '../http/openapi/describe.js';
import { READ_RECORD_ERRORS, recordParameter } from '../http/record.openapi.js';

const DEAD_LETTERS: Tag = { name: 'Dead letters', description: 'Webhooks that were given up', place: 46 };

const letter = Type.String({ description: 'Its id, which is also the `webhook-id` of its requests.' });
const reason = Type.String({ description: 'Why the last attempt failed.' });

export const DeadLetterView = Type.Object(
  {
    letter,
    thing: Type.String(),
    shadow: Type.Union([Type.String(), Type.Null()], {
      description: 'null is the classic shadow, `.presence` the presence of the thing.',
    }),
    version: Type.Integer({ description: 'Of presence its epoch, which both events of a connection share.' }),
    revision: Type.Integer(),
    givenUpAt: Type.String({ description: 'RFC 3339.' }),
    tries: Type.Integer({ description: 'Requests that were made for it.' }),
    reason,
    bytes: Type.Integer({ description: 'Length of its body.' }),
  },
  { $id: 'DeadLetter' },
);
export type DeadLetterView = Static<typeof DeadLetterView>;

const DeadLetterPage = Type.Object(
  { letters: Type.Array(DeadLetterView), next: Type.Optional(Type.String()) },
  { $id: 'DeadLetters' },
);
const ReplayRequest = Type.Object(
  {
    letters: Type.Optional(
      Type.Array(Type.String(), { description: 'Ids of letters; without it the oldest ones.', maxItems: 100 }),
    ),
  },
  { $id: 'ReplayRequest' },
);
export const Replayed = Type.Object(
  {
    replayed: Type.Integer({ description: 'Letters that the endpoint has taken; they are deleted.' }),
    failed: Type.Array(Type.Object({ letter, reason })),
    left: Type.Integer({ description: 'Letters of the request that were not tried: ask again.' }),
  },
  { $id: 'Replayed' },
);
export type Replayed = Static<typeof Replayed>;

const ID = 'evt_0000000000004711_R3nq0c0m9hX1kQzA';
const EXAMPLE: DeadLetterView = {
  ...{ letter: ID, thing: 'lamp-1', shadow: null, version: 7, revision: 4711 },
  ...{ givenUpAt: '2023-11-14T22:13:20.000Z', tries: 31, reason: 'status 500', bytes: 612 },
};
const SINK = recordParameter('sink', 'Name of a sink of the kind webhook.', '^[a-z][a-z0-9-]{0,63}$');
const LETTER = recordParameter('letter', 'Id of the letter.', '^[A-Za-z0-9_-]{1,128}$');
const READ_ERRORS = {
  ...READ_RECORD_ERRORS,
  storageUnavailable: '',
  invalidRequest: 'A sink of the kind nats has no dead letters: it never gives up',
} as const;
const CHANGE_ERRORS = { ...READ_ERRORS, ...STORE_ERRORS, forbidden: '', overloaded: '' } as const;

export const listDeadLetters: OperationDescription = {
  id: 'listDeadLetters',
  tag: DEAD_LETTERS,
  summary: 'Dead letters of a sink',
  description: 'The oldest revision first, without their bodies. A sink has 1000 at most, of 2 MiB together.',
  parameters: [SINK, LIMIT, AFTER],
  answers: { 200: { description: 'A page', schema: DeadLetterPage, examples: { page: { letters: [EXAMPLE] } } } },
  errors: READ_ERRORS,
};

export const deleteDeadLetters: OperationDescription = {
  id: 'deleteDeadLetters',
  tag: DEAD_LETTERS,
  summary: 'Delete all dead letters of a sink',
  parameters: [SINK],
  answers: { 204: { description: 'Deleted' } },
  errors: CHANGE_ERRORS,
};

export const deleteDeadLetter: OperationDescription = {
  id: 'deleteDeadLetter',
  tag: DEAD_LETTERS,
  summary: 'Delete a dead letter',
  parameters: [SINK, LETTER],
  answers: { 204: { description: 'Deleted' } },
  errors: CHANGE_ERRORS,
};

export const replayDeadLetters: OperationDescription = {
  id: 'replayDeadLetters',
  tag: DEAD_LETTERS,
  summary: 'Send dead letters again',
  description:
    'One after the other, under the ids that they had, and deletes what the endpoint takes. It stops when the endpoint as a whole fails, after 100 letters and after 5 seconds. Of one shadow none is sent after one that failed. A newer change of the shadow may have been delivered long ago: receivers compare `revision`.',
  parameters: [SINK],
  body: { schema: ReplayRequest, required: false, examples: { some: { letters: [ID] } } },
  answers: {
    200: {
      description: 'What has become of them',
      schema: Replayed,
      examples: { replayed: { replayed: 3, failed: [{ letter: ID, reason: 'status 422' }], left: 0 } },
    },
  },
  errors: { ...CHANGE_ERRORS, invalidJson: ': Unexpected end of JSON input' },
};
