import { STORE_ERRORS, WRITE_ERRORS, type OperationDescription } from '../http/openapi/describe.js';
import { WATCH_ABOUT, WATCH_ERRORS, WATCH_EXAMPLE } from '../http/openapi/examples.js';

const NEXT = 'MDMubGFtcC0x';
const CHANGED = '2023-11-14T22:13:20.000Z';
const SHADOWS = [
  { name: null, version: 4, changedAt: CHANGED },
  { name: 'door', version: 1, changedAt: CHANGED },
];

export const listThings: OperationDescription = {
  id: 'listThings',
  tag: 'Things',
  summary: 'Things that have a shadow',
  description:
    'In an order that is stable but not alphabetical. Of each thing at most 100 shadows are listed; `truncated` says that it has more.',
  parameters: ['limit', 'after'],
  answers: {
    200: {
      description: 'A page; without `next` the last one',
      schema: 'Things',
      examples: {
        page: { things: [{ thing: 'lamp-1', classic: true, names: ['door'], shadows: SHADOWS }], next: NEXT },
      },
    },
  },
  errors: { invalidRequest: 'limit must be given once, as a whole number from 1 to 100', ...STORE_ERRORS },
};

const THING_ERRORS = {
  invalidRequest: 'Invalid after: pass the value of the page before unchanged, or none',
  invalidThingName: '',
  notFound: 'lamp-1',
  ...STORE_ERRORS,
} as const;

export const getThing: OperationDescription = {
  id: 'getThing',
  tag: 'Things',
  summary: 'A thing with all its shadows',
  description: 'The classic shadow comes first, on the first page; the named ones follow in byte order.',
  parameters: ['thing', 'limit', 'after'],
  answers: {
    200: {
      description: 'A page; without `next` the last one',
      schema: 'Thing',
      examples: {
        page: {
          thing: 'lamp-1',
          shadows: SHADOWS.map((shadow) => ({
            ...shadow,
            state: { reported: { led: 'off' } },
            metadata: { reported: { led: { timestamp: 1700000000 } } },
          })),
          next: NEXT,
        },
      },
    },
  },
  errors: THING_ERRORS,
};

export const removeThing: OperationDescription = {
  id: 'deleteThing',
  tag: 'Things',
  summary: 'Delete a thing: all its shadows',
  description:
    'Each shadow is deleted by itself, the classic one and up to 100 named ones in one request. With `next` in the answer, send the request again with it as `after`. When some could not be deleted, the error lists those that were; repeat the request.',
  parameters: ['thingToDelete', 'after'],
  body: { schema: 'Token', required: false, examples: { token: { clientToken: 'app-17' } } },
  answers: {
    200: {
      description: 'What was deleted; without `next` nothing is left',
      schema: 'ThingDeleted',
      examples: { deleted: { thing: 'lamp-1', deleted: [{ name: null, version: 4, timestamp: 1700000000 }] } },
    },
  },
  errors: { ...THING_ERRORS, ...WRITE_ERRORS },
};

export const watchAll: OperationDescription = {
  id: 'watchThings',
  tag: 'Watch',
  summary: 'Changes of every shadow, as they are committed',
  description: WATCH_ABOUT,
  parameters: ['lastEventId', 'cursor', 'initial'],
  answers: {
    200: {
      description: 'Events',
      schema: 'Events',
      contentType: 'text/event-stream',
      examples: { stream: WATCH_EXAMPLE },
    },
  },
  errors: WATCH_ERRORS,
};

export const watchThing: OperationDescription = {
  ...watchAll,
  id: 'watchThing',
  summary: 'Changes of every shadow of one thing, as they are committed',
  parameters: ['thing', 'lastEventId', 'cursor', 'initial'],
  errors: { invalidThingName: '', ...WATCH_ERRORS },
};
