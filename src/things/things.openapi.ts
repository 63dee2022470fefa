import { STORE_ERRORS, type OperationDescription } from '../http/openapi/describe.js';
import { WATCH_ABOUT, WATCH_ERRORS, WATCH_EXAMPLE } from '../http/openapi/examples.js';

export const listThings: OperationDescription = {
  id: 'listThings',
  tag: 'Things',
  summary: 'Things that have a shadow',
  description: 'In an order that is stable but not alphabetical.',
  parameters: ['limit', 'after'],
  answers: {
    200: {
      description: 'A page; without `next` the last one',
      schema: 'Things',
      examples: { page: { things: [{ thing: 'lamp-1', classic: true, names: ['door'] }], next: 'MDMubGFtcC0x' } },
    },
  },
  errors: { invalidRequest: 'limit must be given once, as a whole number from 1 to 100', ...STORE_ERRORS },
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
