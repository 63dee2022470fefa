export interface ErrorRow {
  readonly http: number;
  readonly aws: string;
  readonly text: string;
  /** Code of a refusal by identity, policies or limits, the same at all doors. */
  readonly code?: `AUTH_${number}`;
  /** Where the status of GRPC_BY_HTTP would tell clients the wrong thing; none: it is that. */
  readonly grpc?: GrpcStatusName;
}

/** Names of google.rpc.Code that errors end with. */
export type GrpcStatusName =
  | 'UNKNOWN'
  | 'INVALID_ARGUMENT'
  | 'NOT_FOUND'
  | 'PERMISSION_DENIED'
  | 'RESOURCE_EXHAUSTED'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'OUT_OF_RANGE'
  | 'UNIMPLEMENTED'
  | 'INTERNAL'
  | 'UNAVAILABLE'
  | 'UNAUTHENTICATED';

/** The status of gRPC for a status of HTTP; any other is INTERNAL. */
export const GRPC_BY_HTTP: Readonly<Record<number, GrpcStatusName>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  405: 'UNIMPLEMENTED',
  409: 'ABORTED',
  410: 'OUT_OF_RANGE',
  412: 'FAILED_PRECONDITION',
  413: 'INVALID_ARGUMENT',
  415: 'INVALID_ARGUMENT',
  422: 'INVALID_ARGUMENT',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
};

/**
 * The errors of the whole service: a caller gets no other code, status or text. Doors translate rows into answers.
 *
 * `http` is the HTTP status and the MQTT `code`; the status of gRPC follows from it. `aws` is the value of the `x-amzn-ErrorType` header (PROTOCOL 4.2).
 * `text` is for the caller and says what to change; the detail of an error replaces `{detail}`.
 */
export const ERROR_TABLE = {
  invalidJson: { http: 400, aws: 'InvalidRequestException', text: 'Invalid JSON{detail}' },
  missingState: { http: 400, aws: 'InvalidRequestException', text: 'Missing required node: state{detail}' },
  stateNotObject: { http: 400, aws: 'InvalidRequestException', text: 'State node must be an object' },
  desiredNotObject: { http: 400, aws: 'InvalidRequestException', text: 'Desired node must be an object' },
  reportedNotObject: { http: 400, aws: 'InvalidRequestException', text: 'Reported node must be an object' },
  invalidStateNode: { http: 400, aws: 'InvalidRequestException', text: "State contains an invalid node: '{detail}'" },
  invalidVersion: { http: 400, aws: 'InvalidRequestException', text: 'Invalid version' },
  invalidClientToken: { http: 400, aws: 'InvalidRequestException', text: 'Invalid clientToken' },
  invalidPatch: { http: 400, aws: 'InvalidRequestException', text: 'Invalid JSON Patch: {detail}' },
  tooDeep: {
    http: 400,
    aws: 'InvalidRequestException',
    text: 'JSON contains too many levels of nesting; maximum is {detail}',
  },
  nullInArray: {
    http: 400,
    aws: 'InvalidRequestException',
    text: 'Array contains null at {detail}; remove the element',
  },
  numberTooLarge: {
    http: 400,
    aws: 'InvalidRequestException',
    text: 'Number at {detail} is outside the range of a 64-bit float; send it as a string',
  },
  invalidThingName: {
    http: 400,
    aws: 'InvalidRequestException',
    text: 'Invalid thing name: use 1 to 128 characters of a-z, A-Z, 0-9, colon, underscore, hyphen',
  },
  invalidShadowName: {
    http: 400,
    aws: 'InvalidRequestException',
    text: 'Invalid shadow name: use 1 to 64 characters of a-z, A-Z, 0-9, colon, underscore, hyphen, dollar',
  },
  invalidRequest: { http: 400, aws: 'InvalidRequestException', text: '{detail}' },
  credentialsMissing: {
    http: 401,
    aws: 'UnauthorizedException',
    code: 'AUTH_101',
    text: 'Credentials are missing or malformed{detail}',
  },
  credentialsUnknown: {
    http: 401,
    aws: 'UnauthorizedException',
    code: 'AUTH_102',
    text: 'No such key, or its secret or signature is wrong{detail}',
  },
  credentialsExpired: {
    http: 401,
    aws: 'UnauthorizedException',
    code: 'AUTH_103',
    text: 'The credentials have expired',
  },
  credentialsNotYetValid: {
    http: 401,
    aws: 'UnauthorizedException',
    code: 'AUTH_104',
    text: 'The credentials are not valid yet',
  },
  credentialsRevoked: {
    http: 401,
    aws: 'UnauthorizedException',
    code: 'AUTH_105',
    text: 'The credentials were revoked',
  },
  foreignToken: {
    http: 401,
    aws: 'UnauthorizedException',
    code: 'AUTH_106',
    text: 'The token is of another issuer, or for another audience',
  },
  boundToken: {
    http: 401,
    aws: 'UnauthorizedException',
    code: 'AUTH_107',
    text: 'The token belongs to another client',
  },
  refreshTokenReused: {
    http: 401,
    aws: 'UnauthorizedException',
    code: 'AUTH_108',
    text: 'The refresh token was used before; log in again',
  },
  certificateRefused: {
    http: 401,
    aws: 'UnauthorizedException',
    code: 'AUTH_109',
    text: 'The client certificate is refused: {detail}',
  },
  awsSignatureRefused: {
    http: 401,
    aws: 'UnauthorizedException',
    code: 'AUTH_110',
    text: 'The AWS signature is refused: {detail}',
  },
  wrongSecret: { http: 401, aws: 'UnauthorizedException', code: 'AUTH_111', text: 'Client or secret is wrong' },
  mayNotConnect: {
    http: 403,
    aws: 'ForbiddenException',
    code: 'AUTH_201',
    text: 'Policies do not allow this client to connect',
  },
  notAllowed: { http: 403, aws: 'ForbiddenException', code: 'AUTH_202', text: 'Policies do not allow {detail}' },
  scopeTooSmall: {
    http: 403,
    aws: 'ForbiddenException',
    code: 'AUTH_203',
    text: 'The token has no scope for {detail}',
  },
  routeNotAllowed: {
    http: 403,
    aws: 'ForbiddenException',
    code: 'AUTH_204',
    text: 'This route is closed on this listener',
  },
  foreignTenant: { http: 403, aws: 'ForbiddenException', code: 'AUTH_301', text: 'That belongs to another tenant' },
  tenantDisabled: { http: 403, aws: 'ForbiddenException', code: 'AUTH_302', text: 'The tenant is disabled' },
  forbidden: { http: 403, aws: 'ForbiddenException', text: 'Forbidden' },
  notFound: { http: 404, aws: 'ResourceNotFoundException', text: "No shadow exists with name: '{detail}'" },
  noRecord: { http: 404, aws: 'ResourceNotFoundException', text: 'There is no {detail}' },
  noRoute: { http: 404, grpc: 'UNIMPLEMENTED', aws: 'ResourceNotFoundException', text: 'No such path: {detail}' },
  methodNotAllowed: { http: 405, aws: 'MethodNotAllowedException', text: 'Method not allowed; use {detail}' },
  versionConflict: { http: 409, aws: 'ConflictException', text: 'Version conflict' },
  fenced: {
    http: 409,
    aws: 'ConflictException',
    text: 'Another node has taken over from the one that held this request; nothing was written',
  },
  leaseHeld: { http: 409, aws: 'ConflictException', text: 'Another lease is about {detail}' },
  leaseEnded: {
    http: 409,
    aws: 'ConflictException',
    text: 'The lease has ended, or was never taken; nothing was written',
  },
  leaseNotYours: {
    http: 409,
    aws: 'ConflictException',
    text: 'The lease belongs to another principal; nothing was changed',
  },
  leaseNotCovering: {
    http: 409,
    aws: 'ConflictException',
    text: 'The lease is not about {detail}; nothing was written',
  },
  leaseExclusive: {
    http: 409,
    aws: 'ConflictException',
    text: 'An exclusive lease keeps others from desired of {detail}; nothing was written',
  },
  sessionFollowed: {
    http: 409,
    aws: 'ConflictException',
    text: 'This client has connected anew since; nothing was written',
  },
  cursorGone: { http: 410, aws: 'ResourceNotFoundException', text: 'The cursor is no longer available: {detail}' },
  patchFailed: { http: 409, aws: 'ConflictException', text: 'The JSON Patch does not apply; {detail}' },
  revisionAhead: {
    http: 409,
    aws: 'ConflictException',
    text: 'The store has not reached revision {detail}; take the revision from an answer of this store',
  },
  revisionGone: { http: 410, aws: 'ResourceNotFoundException', text: 'The store no longer has {detail}' },
  preconditionFailed: {
    http: 412,
    aws: 'ConflictException',
    text: 'A condition of the request does not hold: {detail}',
  },
  tooLarge: {
    http: 413,
    aws: 'RequestEntityTooLargeException',
    text: 'The payload exceeds the maximum size allowed{detail}',
  },
  // "documented" is AWS's own spelling (PROTOCOL 4.1).
  notUtf8: {
    http: 415,
    aws: 'UnsupportedDocumentEncodingException',
    text: 'Unsupported documented encoding; supported encoding is UTF-8',
  },
  idempotencyKeyReused: {
    http: 422,
    aws: 'InvalidRequestException',
    text: 'The Idempotency-Key was sent with another request before; make a new one for each request',
  },
  unsupportedPatch: {
    http: 415,
    aws: 'InvalidRequestException',
    text: 'Unsupported patch format {detail}; send application/merge-patch+json or application/json-patch+json',
  },
  tooManyRequests: { http: 429, aws: 'ThrottlingException', text: 'Too many requests: {detail}' },
  rateExceeded: {
    http: 429,
    aws: 'ThrottlingException',
    code: 'AUTH_901',
    text: 'Too many requests; the node serves {detail}',
  },
  tooManyInFlight: {
    http: 429,
    aws: 'ThrottlingException',
    code: 'AUTH_902',
    text: 'Too many requests at once; the node serves {detail}',
  },
  tooManyFailures: {
    http: 429,
    aws: 'ThrottlingException',
    code: 'AUTH_903',
    text: 'Too many wrong credentials from this address or for this client; wait before the next attempt',
  },
  tooManyDenials: {
    http: 429,
    aws: 'ThrottlingException',
    code: 'AUTH_904',
    text: 'Too many revoked tokens of this client: {detail}; let some of them end, or delete the key that they came from',
  },
  tooManySessions: {
    http: 429,
    aws: 'ThrottlingException',
    code: 'AUTH_905',
    text: 'Too many connections and sessions; the node serves {detail}',
  },
  internal: { http: 500, aws: 'InternalFailureException', text: 'Internal service failure' },
  overloaded: {
    http: 503,
    aws: 'ServiceUnavailableException',
    text: 'The node is short of room; try again: {detail}',
  },
  switchedOff: {
    http: 503,
    aws: 'ServiceUnavailableException',
    text: 'An operator has switched this off: {detail}',
  },
  issuerUnavailable: {
    http: 503,
    aws: 'ServiceUnavailableException',
    text: 'The issuer of the token does not publish its keys now; try again',
  },
  storageUnavailable: {
    http: 503,
    aws: 'ServiceUnavailableException',
    text: 'The storage did not answer in time; try again',
  },
  storageFull: {
    http: 503,
    grpc: 'RESOURCE_EXHAUSTED',
    aws: 'ServiceUnavailableException',
    text: 'The storage is full; updates are refused, reads and deletes go on',
  },
  // The request may have been applied, so the answer must not say that it was not.
  outcomeUnknown: {
    http: 503,
    // Clients repeat what is UNAVAILABLE by themselves.
    grpc: 'UNKNOWN',
    aws: 'ServiceUnavailableException',
    text: 'The outcome of the request is unknown; read the shadow before sending it again',
  },
  draining: { http: 503, aws: 'ServiceUnavailableException', text: 'The node is shutting down; connect again' },
} as const satisfies Record<string, ErrorRow>;

/** The name of a row. The `type` of RFC 9457 problems spells it with hyphens. */
export type ServiceErrorCode = keyof typeof ERROR_TABLE;
