import Type from 'typebox';
import { STORE_ERRORS } from './openapi/describe.js';
import { pathParameter, type Parameter } from './openapi/parameters.js';

/** Shapes and errors of everything that is administered as a record. */

export const CREATED_AT = Type.String({ description: 'RFC 3339.' });

/** A name in the path. */
export function recordParameter(name: string, description: string, pattern = '^[a-zA-Z0-9:_.@-]{1,128}$'): Parameter {
  return pathParameter(name, description, { type: 'string', pattern });
}

const REFUSED = {
  credentialsMissing: '',
  credentialsUnknown: '',
  credentialsExpired: '',
  credentialsRevoked: '',
  notAllowed: 'umbra:AdminWrite on tenant/default',
} as const;

export const READ_RECORD_ERRORS = { ...REFUSED, noRecord: "principal 'lamp'", draining: '' } as const;

export const CHANGE_RECORD_ERRORS = {
  ...READ_RECORD_ERRORS,
  invalidRequest: 'principals/default/lamp: roles must be a list',
  preconditionFailed: 'it exists already; to replace it send If-Match: "7"',
  ...STORE_ERRORS,
} as const;
