import Type, { type Static } from 'typebox';
import { AFTER, LIMIT, Timestamp } from '../http/http.openapi.js';
import { MIN_REVISION, REVISION } from '../http/revision.js';
import { STORE_ERRORS, WRITE_ERRORS, type OperationDescription, type Tag } from '../http/openapi/describe.js';
import { LEASE_ERRORS, UMBRA_LEASE } from '../leases/leases.openapi.js';
import {
  ChangedAt,
  Data,
  Metadata,
  ShadowName,
  THING,
  THING_TO_DELETE,
  Token,
  Version,
} from '../shadow/document.openapi.js';
import { EXAMPLE as PRESENT, PresenceOf } from '../presence/presence.openapi.js';
import { SHADOW_FILTER, STREAM, STREAM_PARAMETERS, THING_FILTER } from '../shadow/watch.openapi.js';

const THINGS: Tag = { name: 'Things', description: 'The things that have a shadow', place: 30 };

const next = Type.Optional(Type.String());
const presence = Type.Optional(
  Type.Union([PresenceOf, Type.Null()], {
    description:
      'Of the MQTT client whose identifier is the name of the thing; null: none is remembered. Absent where presence is off or not known, and for callers who may not see it.',
  }),
);
const summary = { name: ShadowName, version: Version, changedAt: ChangedAt };

export const ShadowSummary = Type.Object(summary);
export type ShadowSummary = Static<typeof ShadowSummary>;

export const Things = Type.Object(
  {
    things: Type.Array(
      Type.Object({
        thing: Type.String(),
        presence,
        classic: Type.Boolean(),
        names: Type.Array(Type.String()),
        shadows: Type.Array(ShadowSummary),
        truncated: Type.Optional(Type.Boolean({ description: 'Present and true when the thing has more shadows.' })),
      }),
    ),
    next,
  },
  { $id: 'Things' },
);
export type Things = Static<typeof Things>;

export const StoredShadow = Type.Object({
  ...summary,
  state: Type.Object({ desired: Type.Optional(Data), reported: Type.Optional(Data) }),
  metadata: Metadata,
});
export type StoredShadow = Static<typeof StoredShadow>;

export const Thing = Type.Object(
  { thing: Type.String(), presence, shadows: Type.Array(StoredShadow), next },
  { $id: 'Thing' },
);
export type Thing = Static<typeof Thing>;

export const DeletedShadow = Type.Object({ name: ShadowName, version: Version, timestamp: Timestamp });
export type DeletedShadow = Static<typeof DeletedShadow>;

const deleted = Type.Array(DeletedShadow, {
  description: 'Each deleted shadow, with its last version.',
});
export const ThingDeleted = Type.Object({ thing: Type.String(), deleted, next }, { $id: 'ThingDeleted' });
export type ThingDeleted = Static<typeof ThingDeleted>;

const NEXT = 'MDMubGFtcC0x';
const AHEAD = '1300: it is at 1207';
const CHANGED = '2023-11-14T22:13:20.000Z';
const SHADOWS = [
  { name: null, version: 4, changedAt: CHANGED },
  { name: 'door', version: 1, changedAt: CHANGED },
];

export const listThings: OperationDescription = {
  id: 'listThings',
  tag: THINGS,
  summary: 'Things that have a shadow',
  description:
    'The order is stable but not alphabetical. A thing is listed with its first 100 shadows; `truncated` says that it has more.',
  parameters: [LIMIT, AFTER, MIN_REVISION],
  answers: {
    200: {
      description: 'A page; without `next` the last one',
      schema: Things,
      headers: REVISION,
      examples: {
        page: {
          things: [{ thing: 'lamp-1', presence: PRESENT, classic: true, names: ['door'], shadows: SHADOWS }],
          next: NEXT,
        },
      },
    },
  },
  errors: {
    invalidRequest: 'limit must be given once, as a whole number from 1 to 100',
    revisionAhead: AHEAD,
    ...STORE_ERRORS,
  },
};

const THING_ERRORS = {
  invalidRequest: 'Invalid after: pass the value of the page before unchanged, or none',
  invalidThingName: '',
  notFound: 'lamp-1',
  ...STORE_ERRORS,
} as const;

export const getThing: OperationDescription = {
  id: 'getThing',
  tag: THINGS,
  summary: 'A thing with all its shadows',
  description: 'The classic shadow comes first, on the first page; the named ones follow in byte order.',
  parameters: [THING, LIMIT, AFTER, MIN_REVISION],
  answers: {
    200: {
      description: 'A page; without `next` the last one',
      schema: Thing,
      headers: REVISION,
      examples: {
        page: {
          thing: 'lamp-1',
          presence: PRESENT,
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
  errors: { ...THING_ERRORS, revisionAhead: AHEAD },
};

export const removeThing: OperationDescription = {
  id: 'deleteThing',
  tag: THINGS,
  summary: 'Delete a thing: all its shadows',
  description:
    'Deletes each shadow separately, the classic one and up to 100 named ones in one request. If the answer has `next`, repeat the request with its value as `after`. If some shadows cannot be deleted, the error lists the deleted ones; repeat the request.',
  parameters: [THING_TO_DELETE, AFTER, UMBRA_LEASE],
  body: { schema: Token, required: false, examples: { token: { clientToken: 'app-17' } } },
  answers: {
    200: {
      description: 'The deleted shadows; without `next` none is left',
      schema: ThingDeleted,
      headers: REVISION,
      examples: { deleted: { thing: 'lamp-1', deleted: [{ name: null, version: 4, timestamp: 1700000000 }] } },
    },
  },
  errors: { ...THING_ERRORS, ...LEASE_ERRORS, ...WRITE_ERRORS },
};

export const watchAll: OperationDescription = {
  ...STREAM,
  id: 'watchThings',
  summary: 'Changes of every shadow, as they are committed',
  parameters: [...STREAM_PARAMETERS, THING_FILTER, SHADOW_FILTER],
};

export const watchThing: OperationDescription = {
  ...STREAM,
  id: 'watchThing',
  summary: 'Changes of every shadow of one thing, as they are committed',
  parameters: [THING, ...STREAM_PARAMETERS, SHADOW_FILTER],
  errors: { invalidThingName: '', ...STREAM.errors },
};
