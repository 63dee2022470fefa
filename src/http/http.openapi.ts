import Type, { type Static } from 'typebox';
import { headerParameter, queryParameter } from './openapi/parameters.js';

/** Shapes and parameters that belong to HTTP itself and not to one resource. */

/** Epoch seconds. */
export const Timestamp = Type.Integer({ description: 'Epoch seconds.' });
/** At most 64 bytes. */
export const ClientToken = Type.String({ description: 'As the request carried it; at most 64 bytes.' });

export const AwsError = Type.Object({ message: Type.String(), traceId: Type.String() }, { $id: 'AwsError' });
export type AwsError = Static<typeof AwsError>;

export const ParameterProblem = Type.Object({ parameter: Type.String(), message: Type.String() });
export type ParameterProblem = Static<typeof ParameterProblem>;

export const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.Optional(
      Type.String({
        description: 'Of refusals: AUTH_1xx for credentials, 2xx for policies, 3xx for tenants, 9xx for limits.',
      }),
    ),
    detail: Type.String(),
    instance: Type.String(),
    requestId: Type.String(),
    clientToken: Type.Optional(ClientToken),
    errors: Type.Optional(Type.Array(ParameterProblem)),
  },
  { $id: 'Problem', description: 'RFC 9457. Some operations add members, which their descriptions name.' },
);
export type Problem = Static<typeof Problem>;

const size = { type: 'integer', minimum: 1, maximum: 100, default: 25 };

export const LIMIT = queryParameter('limit', 'Entries of one page; a page may be shorter.', size);
export const AFTER = queryParameter('after', '`next` of the page before.', { type: 'string' });
export const PAGE_SIZE = queryParameter('pageSize', 'Entries of one page; a page may be shorter.', size);
export const NEXT_TOKEN = queryParameter('nextToken', '`nextToken` of the page before.', { type: 'string' });
export const IF_MATCH = headerParameter('If-Match', 'Versions such as "3", or * for "it exists". Else 412.');
export const IF_NONE_MATCH = headerParameter(
  'If-None-Match',
  'Versions such as "3", or * for "it does not exist". Else 412; 304 on GET.',
);
