import Type, { type Static } from 'typebox';
import {
  ClientToken,
  IF_MATCH,
  IF_NONE_MATCH,
  LIMIT,
  AFTER,
  NEXT_TOKEN,
  PAGE_SIZE,
  Timestamp,
} from '../http/http.openapi.js';
import type { EchoMetadata } from '../document/metadata.js';
import { MAX_OPERATIONS } from '../document/json-patch.js';
import type { StatePatch } from '../document/shadow-document.js';
import { STORE_ERRORS, WRITE_ERRORS, type OperationDescription, type Tag } from '../http/openapi/describe.js';
import { JSON_PATCH } from '../http/patch-format.js';
import { MIN_REVISION, REVISION } from '../http/revision.js';
import { IDEMPOTENCY_ERRORS, IDEMPOTENCY_KEY, IDEMPOTENCY_LIFETIME } from '../idempotency/idempotency.openapi.js';
import { LEASE_ERRORS, UMBRA_LEASE } from '../leases/leases.openapi.js';
import { AwsShadow, Data, METADATA, NAME, Shadow, THING, THING_TO_DELETE, Token, Version } from './document.openapi.js';
import { VERSION_PARAMETERS } from './version-query.js';
import { STREAM, STREAM_PARAMETERS } from './watch.openapi.js';

const AWS: Tag = {
  name: 'AWS data plane',
  description: 'For AWS SDKs and the AWS CLI, unmodified',
  place: 10,
  awsErrors: true,
};
const SHADOWS: Tag = { name: 'Shadows', description: 'Our own API: documents, merge patches, conditions', place: 20 };

const orNull = Type.Union([Data, Type.Null()]);

export const Update = Type.Object(
  {
    state: Type.Union([Type.Object({ desired: Type.Optional(orNull), reported: Type.Optional(orNull) }), Type.Null()]),
    version: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Only if the shadow is at this version; else 409.' }),
    ),
    clientToken: Type.Optional(ClientToken),
  },
  { $id: 'Update', description: 'Members are merged; null removes a member, a section, or both sections.' },
);
export const UpdateAccepted = Type.Object(
  {
    state: Type.Unsafe<StatePatch>({ type: ['object', 'null'], additionalProperties: true }),
    metadata: Type.Unsafe<EchoMetadata>({ type: 'object', additionalProperties: true }),
    version: Version,
    timestamp: Timestamp,
    clientToken: Type.Optional(ClientToken),
  },
  { $id: 'UpdateAccepted', description: 'Echoes what the request contained.' },
);
export const DeleteAccepted = Type.Object(
  { version: Version, timestamp: Timestamp, clientToken: Type.Optional(ClientToken) },
  { $id: 'DeleteAccepted' },
);
const MergePatch = Type.Union([Data, Type.Null()], {
  $id: 'MergePatch',
  description: 'RFC 7396; null clears the section.',
});
const JsonPatch = Type.Array(
  Type.Object({
    op: Type.Enum(['add', 'remove', 'replace', 'move', 'copy', 'test']),
    path: Type.String({ description: 'JSON Pointer (RFC 6901).' }),
    from: Type.Optional(Type.String({ description: 'Of move and copy.' })),
    value: Type.Optional(Type.Unknown({ description: 'Of add, replace and test; null only in test.' })),
  }),
  {
    $id: 'JsonPatch',
    maxItems: MAX_OPERATIONS,
    description: 'RFC 6902: all operations apply, in turn, or none does.',
  },
);
export const AwsNames = Type.Object(
  { results: Type.Array(Type.String()), nextToken: Type.Optional(Type.String()), timestamp: Timestamp },
  { $id: 'AwsNames' },
);
export type AwsNames = Static<typeof AwsNames>;
export const Shadows = Type.Object(
  {
    thing: Type.String(),
    classic: Type.Boolean(),
    names: Type.Array(Type.String()),
    next: Type.Optional(Type.String()),
  },
  { $id: 'Shadows' },
);
export type Shadows = Static<typeof Shadows>;

/**
 * "Execute" on an untouched form of the page sends the first example, so this example must remove nothing. It is also
 * the first by name, for pages that sort.
 */
const UPDATES = {
  'merge a member': { state: { desired: { led: 'on' } }, clientToken: 'app-17' },
  'merge only at version 3': { state: { desired: { led: 'on' } }, version: 3 },
  'remove a section': { state: { desired: null } },
};
/** Like UPDATES. No example may be `null`, because Swagger UI prefers it to all others. */
const MERGE_PATCHES = { 'merge a member': { led: 'on' }, 'remove a member': { blink: null } };
/** @param base where the paths of a patch begin: within the section, or with it */
const jsonPatches = (base: '' | '/desired') => ({
  schema: JsonPatch,
  contentType: JSON_PATCH,
  examples: {
    'change an element': [
      { op: 'test', path: `${base}/colors/0`, value: 'red' },
      { op: 'replace', path: `${base}/colors/0`, value: 'blue' },
    ],
  },
});
const SHADOW = {
  state: { desired: { led: 'on' }, reported: { led: 'off' }, delta: { led: 'on' } },
  metadata: METADATA,
  version: 4,
  timestamp: 1700000000,
};
const OUR_SHADOW = { ...SHADOW, changedAt: '2023-11-14T22:13:20.000Z' };

const NAME_ERRORS = { invalidThingName: '', invalidShadowName: '' } as const;
const READ_ERRORS = { ...NAME_ERRORS, notFound: 'lamp-1', ...STORE_ERRORS } as const;
const PATCH_ERRORS = {
  invalidJson: '',
  missingState: '',
  invalidStateNode: 'delta',
  invalidVersion: '',
  invalidClientToken: '',
  tooDeep: '8',
  nullInArray: 'desired.colors[1]',
  ...NAME_ERRORS,
  versionConflict: '',
  ...LEASE_ERRORS,
  ...IDEMPOTENCY_ERRORS,
  tooLarge: '',
  notUtf8: '',
  ...STORE_ERRORS,
  ...WRITE_ERRORS,
} as const;
const REVISION_ERRORS = { revisionAhead: '1300: it is at 1207' } as const;
const JSON_PATCH_ERRORS = {
  invalidPatch: 'operation [0]: add needs a value',
  patchFailed: 'operation [0], test /desired/colors/0: the value there is another',
  unsupportedPatch: 'application/xml-patch+xml',
} as const;
const CONDITION_ERRORS = { preconditionFailed: 'the shadow is at version 4' } as const;

const ACCEPTED = {
  state: { desired: { led: 'on' } },
  metadata: { desired: { led: { timestamp: 1700000000 } } },
  version: 4,
  timestamp: 1700000000,
  clientToken: 'app-17',
};
const DELETED = { version: 4, timestamp: 1700000000 };
const ETAG = { ...REVISION, etag: 'The version, such as "4".' };
const VERSIONED = { ...ETAG, 'last-modified': 'When the shadow last changed, in whole seconds.' };

export const awsGet: OperationDescription = {
  id: 'GetThingShadow',
  tag: AWS,
  summary: 'The document of one shadow',
  parameters: [THING, NAME],
  answers: { 200: { description: 'The document', schema: AwsShadow, headers: REVISION, examples: { shadow: SHADOW } } },
  errors: READ_ERRORS,
};

export const get: OperationDescription = {
  id: 'getShadow',
  tag: SHADOWS,
  summary: 'The document of one shadow',
  parameters: [THING, NAME, IF_MATCH, IF_NONE_MATCH, ...VERSION_PARAMETERS],
  answers: {
    200: { description: 'The document', schema: Shadow, headers: VERSIONED, examples: { shadow: OUR_SHADOW } },
    304: { description: 'The caller has this version', headers: ETAG },
  },
  description: `The present document, or with \`revision\` or \`at\` an earlier one, as far as the history of the store reaches;
a 410 has the oldest revision there is as \`oldestRevision\`.`,
  errors: { ...READ_ERRORS, ...CONDITION_ERRORS, ...REVISION_ERRORS, revisionGone: 'revision 7: the oldest is 1207' },
};

export const awsUpdate: OperationDescription = {
  id: 'UpdateThingShadow',
  tag: AWS,
  summary: 'Merge a patch into one shadow, or create it',
  parameters: [THING, NAME, UMBRA_LEASE, IDEMPOTENCY_KEY, IDEMPOTENCY_LIFETIME],
  body: { schema: Update, required: true, examples: UPDATES },
  answers: {
    200: {
      description: 'The accepted request',
      schema: UpdateAccepted,
      headers: REVISION,
      examples: { accepted: ACCEPTED },
    },
  },
  errors: PATCH_ERRORS,
};

export const update: OperationDescription = {
  id: 'updateShadow',
  tag: SHADOWS,
  summary: 'Merge a patch into one shadow, or create it',
  description: `The body is the body of the AWS update, or a JSON Patch of the state. If-Match and If-None-Match are checked
before its \`version\`.`,
  parameters: [THING, NAME, IF_MATCH, IF_NONE_MATCH, UMBRA_LEASE, IDEMPOTENCY_KEY, IDEMPOTENCY_LIFETIME],
  body: { schema: Update, required: true, examples: UPDATES, or: jsonPatches('/desired') },
  answers: {
    200: { description: 'The whole document', schema: Shadow, headers: VERSIONED, examples: { shadow: OUR_SHADOW } },
  },
  errors: { ...PATCH_ERRORS, ...JSON_PATCH_ERRORS, ...CONDITION_ERRORS },
};

function sectionUpdate(section: 'desired' | 'reported', id: string): OperationDescription {
  return {
    ...update,
    id,
    summary: `Merge a patch into ${section}`,
    description:
      'An RFC 7396 merge patch of the section alone, where `null` as the whole body clears it; or a JSON Patch of it.',
    body: {
      schema: MergePatch,
      required: true,
      contentType: 'application/merge-patch+json',
      examples: MERGE_PATCHES,
      or: jsonPatches(''),
    },
    errors: { ...update.errors, [`${section}NotObject`]: '' },
  };
}

export const updateDesired = sectionUpdate('desired', 'updateDesired');
export const updateReported = sectionUpdate('reported', 'updateReported');

export const awsDelete: OperationDescription = {
  id: 'DeleteThingShadow',
  tag: AWS,
  summary: 'Delete one shadow',
  description: 'A shadow that is created again within 48 hours continues its version numbers.',
  parameters: [THING_TO_DELETE, NAME, UMBRA_LEASE, IDEMPOTENCY_KEY, IDEMPOTENCY_LIFETIME],
  answers: {
    200: {
      description: 'The version that was deleted',
      schema: DeleteAccepted,
      headers: REVISION,
      examples: { deleted: DELETED },
    },
  },
  errors: { ...READ_ERRORS, ...LEASE_ERRORS, ...IDEMPOTENCY_ERRORS, ...WRITE_ERRORS },
};

export const remove: OperationDescription = {
  ...awsDelete,
  id: 'deleteShadow',
  tag: SHADOWS,
  parameters: [THING_TO_DELETE, NAME, IF_MATCH, IF_NONE_MATCH, UMBRA_LEASE, IDEMPOTENCY_KEY, IDEMPOTENCY_LIFETIME],
  body: { schema: Token, required: false, examples: { token: { clientToken: 'app-17' } } },
  errors: { ...READ_ERRORS, ...LEASE_ERRORS, ...IDEMPOTENCY_ERRORS, ...WRITE_ERRORS, ...CONDITION_ERRORS },
};

export const awsList: OperationDescription = {
  id: 'ListNamedShadowsForThing',
  tag: AWS,
  summary: 'Names of the named shadows of a thing',
  description: 'The classic shadow is never listed; an unknown thing has none.',
  parameters: [THING, PAGE_SIZE, NEXT_TOKEN],
  answers: {
    200: {
      description: 'A page; without `nextToken` the last one',
      schema: AwsNames,
      headers: REVISION,
      examples: { page: { results: ['door', 'light'], nextToken: 'bGlnaHQ', timestamp: 1700000000 } },
    },
  },
  errors: {
    invalidRequest: 'pageSize must be given once, as a whole number from 1 to 100',
    invalidThingName: '',
    ...STORE_ERRORS,
  },
};

export const list: OperationDescription = {
  ...awsList,
  id: 'listShadows',
  tag: SHADOWS,
  summary: 'The shadows of a thing',
  description: 'Names in byte order; `classic` says on every page whether the unnamed one exists.',
  parameters: [THING, LIMIT, AFTER, MIN_REVISION],
  answers: {
    200: {
      description: 'A page; without `next` the last one',
      schema: Shadows,
      headers: REVISION,
      examples: { page: { thing: 'lamp-1', classic: true, names: ['door', 'light'], next: 'bGlnaHQ' } },
    },
  },
  errors: {
    invalidRequest: 'limit must be given once, as a whole number from 1 to 100',
    invalidThingName: '',
    ...REVISION_ERRORS,
    ...STORE_ERRORS,
  },
};

export const watch: OperationDescription = {
  ...STREAM,
  id: 'watchShadow',
  summary: 'Changes of one shadow, as they are committed',
  parameters: [THING, NAME, ...STREAM_PARAMETERS],
  errors: { ...NAME_ERRORS, ...STREAM.errors },
};
