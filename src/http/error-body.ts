import type { ServiceError } from '../errors/service-error.js';
import type { AwsError, Problem } from './http.openapi.js';
import { ACCEPT_PATCH } from './patch-format.js';
import { ProblemError } from './problem-error.js';

/** A whole error answer, for either HTTP door. */
export interface ErrorAnswer<Body extends object = object> {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Body;
}

const AWS_PATH = /^\/(?:things|api|topics)(?:[/?]|$)/;

/** Whether a path belongs to the AWS data plane, whose clients expect errors in the AWS shape. */
export const isAwsPath = (url: string): boolean => AWS_PATH.test(url);

/** Seconds that a rejected caller should wait before it tries again. */
const RETRY_AFTER_S = '1';

/** PROTOCOL 4.2: the type ends with a colon, as AWS sends it, and the body differs from the MQTT body. */
export function awsError(error: ServiceError, requestId: string): ErrorAnswer<AwsError> {
  return {
    status: error.status,
    headers: { 'content-type': 'application/json', 'x-amzn-errortype': `${error.awsType}:`, ...hints(error) },
    body: { message: error.message, traceId: requestId },
  };
}

/** RFC 9457. `type` is a name for programs, `detail` says what to change, `requestId` finds the line in the log. */
export function problem(error: ServiceError, requestId: string): ErrorAnswer<Problem> {
  return {
    status: error.status,
    headers: { 'content-type': 'application/problem+json', ...hints(error) },
    body: {
      ...problemMembers(error),
      instance: `urn:uuid:${requestId}`,
      requestId,
      ...(error instanceof ProblemError && error.members),
      ...(error.clientToken !== undefined && { clientToken: error.clientToken }),
    },
  };
}

/** What a problem says of its error, without what is of its request. No errors. */
export function problemMembers(error: ServiceError): Pick<Problem, 'type' | 'title' | 'status' | 'code' | 'detail'> {
  const words = wordsOf(error);
  return {
    type: `urn:umbra:problem:${words.replaceAll(' ', '-')}`,
    title: words.charAt(0).toUpperCase() + words.slice(1),
    status: error.status,
    ...(error.authCode !== undefined && { code: error.authCode }),
    detail: error.message,
  };
}

/** Its code in the words that `type` joins by hyphens. */
const wordsOf = ({ code }: ServiceError): string => code.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

function hints(error: ServiceError): Record<string, string> {
  if (error.code === 'unsupportedPatch') return ACCEPT_PATCH;
  return error.status === 429 || error.status === 503 ? { 'retry-after': RETRY_AFTER_S } : {};
}
