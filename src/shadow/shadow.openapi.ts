import { STORE_ERRORS, WRITE_ERRORS, type OperationDescription } from '../http/openapi/describe.js';
import {
  MERGE_PATCHES,
  OUR_SHADOW,
  SHADOW,
  UPDATES,
  WATCH_ABOUT,
  WATCH_ERRORS,
  WATCH_EXAMPLE,
} from '../http/openapi/examples.js';

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
  tooLarge: '',
  notUtf8: '',
  ...STORE_ERRORS,
  ...WRITE_ERRORS,
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
const ETAG = { etag: 'The version, such as "4".' };
const VERSIONED = { ...ETAG, 'last-modified': 'When the shadow last changed, in whole seconds.' };

export const awsGet: OperationDescription = {
  id: 'GetThingShadow',
  tag: 'AWS data plane',
  summary: 'The document of one shadow',
  parameters: ['thing', 'name'],
  answers: { 200: { description: 'The document', schema: 'AwsShadow', examples: { shadow: SHADOW } } },
  errors: READ_ERRORS,
};

export const get: OperationDescription = {
  id: 'getShadow',
  tag: 'Shadows',
  summary: 'The document of one shadow',
  parameters: ['thing', 'name', 'ifMatch', 'ifNoneMatch'],
  answers: {
    200: { description: 'The document', schema: 'Shadow', headers: VERSIONED, examples: { shadow: OUR_SHADOW } },
    304: { description: 'The caller has this version', headers: ETAG },
  },
  errors: { ...READ_ERRORS, ...CONDITION_ERRORS },
};

export const awsUpdate: OperationDescription = {
  id: 'UpdateThingShadow',
  tag: 'AWS data plane',
  summary: 'Merge a patch into one shadow, or create it',
  parameters: ['thing', 'name'],
  body: { schema: 'Update', required: true, examples: UPDATES },
  answers: {
    200: { description: 'What was asked for, as accepted', schema: 'UpdateAccepted', examples: { accepted: ACCEPTED } },
  },
  errors: PATCH_ERRORS,
};

export const update: OperationDescription = {
  id: 'updateShadow',
  tag: 'Shadows',
  summary: 'Merge a patch into one shadow, or create it',
  description: 'The body is that of the AWS update. If-Match and If-None-Match are checked before its `version`.',
  parameters: ['thing', 'name', 'ifMatch', 'ifNoneMatch'],
  body: { schema: 'Update', required: true, examples: UPDATES },
  answers: {
    200: { description: 'The whole document', schema: 'Shadow', headers: VERSIONED, examples: { shadow: OUR_SHADOW } },
  },
  errors: { ...PATCH_ERRORS, ...CONDITION_ERRORS },
};

function sectionUpdate(section: 'desired' | 'reported', id: string): OperationDescription {
  return {
    ...update,
    id,
    summary: `Merge a patch into ${section}`,
    description: 'An RFC 7396 merge patch of the section alone; `null` as the whole body clears it.',
    body: {
      schema: 'MergePatch',
      required: true,
      contentType: 'application/merge-patch+json',
      examples: MERGE_PATCHES,
    },
    errors: { ...update.errors, [`${section}NotObject`]: '' },
  };
}

export const updateDesired = sectionUpdate('desired', 'updateDesired');
export const updateReported = sectionUpdate('reported', 'updateReported');

export const awsDelete: OperationDescription = {
  id: 'DeleteThingShadow',
  tag: 'AWS data plane',
  summary: 'Delete one shadow',
  description: 'A shadow that is created again within 48 hours goes on counting its versions.',
  parameters: ['thingToDelete', 'name'],
  answers: {
    200: { description: 'The version that was deleted', schema: 'DeleteAccepted', examples: { deleted: DELETED } },
  },
  errors: { ...READ_ERRORS, ...WRITE_ERRORS },
};

export const remove: OperationDescription = {
  ...awsDelete,
  id: 'deleteShadow',
  tag: 'Shadows',
  parameters: ['thingToDelete', 'name', 'ifMatch', 'ifNoneMatch'],
  body: { schema: 'Token', required: false, examples: { token: { clientToken: 'app-17' } } },
  errors: { ...READ_ERRORS, ...WRITE_ERRORS, ...CONDITION_ERRORS },
};

export const awsList: OperationDescription = {
  id: 'ListNamedShadowsForThing',
  tag: 'AWS data plane',
  summary: 'Names of the named shadows of a thing',
  description: 'The classic shadow is never listed; an unknown thing has none.',
  parameters: ['thing', 'pageSize', 'nextToken'],
  answers: {
    200: {
      description: 'A page; without `nextToken` the last one',
      schema: 'AwsNames',
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
  tag: 'Shadows',
  summary: 'The shadows of a thing',
  description: 'Names in byte order; `classic` says on every page whether the unnamed one exists.',
  parameters: ['thing', 'limit', 'after'],
  answers: {
    200: {
      description: 'A page; without `next` the last one',
      schema: 'Shadows',
      examples: { page: { thing: 'lamp-1', classic: true, names: ['door', 'light'], next: 'bGlnaHQ' } },
    },
  },
  errors: {
    invalidRequest: 'limit must be given once, as a whole number from 1 to 100',
    invalidThingName: '',
    ...STORE_ERRORS,
  },
};

export const watch: OperationDescription = {
  id: 'watchShadow',
  tag: 'Watch',
  summary: 'Changes of one shadow, as they are committed',
  description: WATCH_ABOUT,
  parameters: ['thing', 'name', 'lastEventId', 'cursor', 'initial'],
  answers: {
    200: {
      description: 'Events',
      schema: 'Events',
      contentType: 'text/event-stream',
      examples: { stream: WATCH_EXAMPLE },
    },
  },
  errors: { ...NAME_ERRORS, ...WATCH_ERRORS },
};
