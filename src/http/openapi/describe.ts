import { applyDecorators } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiParam, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { ServiceError, type ServiceErrorCode } from '../../errors/service-error.js';
import { awsError, problem } from '../error-body.js';
import { PARAMETERS, type ParameterName } from './parameters.js';

type Examples = Readonly<Record<string, unknown>>;

export interface AnswerDescription {
  readonly description: string;
  /** Without one the answer has no body. */
  readonly schema?: string;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** By name. */
  readonly examples?: Examples;
}

/** One operation as the API page tells it. Beside the route it would drown it, so it stands in *.openapi.ts files. */
export interface OperationDescription {
  readonly id: string;
  readonly tag: 'AWS data plane' | 'Shadows' | 'Things' | 'Watch' | 'Health';
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly ParameterName[];
  readonly body?: {
    readonly schema: string;
    readonly required: boolean;
    readonly contentType?: string;
    readonly examples: Examples;
  };
  readonly answers: Readonly<Record<number, AnswerDescription>>;
  /** Rows of the error table that the operation answers with; `detail` fills the text of the example. */
  readonly errors?: Readonly<Partial<Record<ServiceErrorCode, string>>>;
}

/** Stands for the id that every answer carries in its own headers. */
const EXAMPLE_ID = '6f1c2d3e-0000-4000-8000-000000000000';
const REQUEST_ID = {
  'x-amzn-requestid': { description: 'Id of the request.', schema: { type: 'string' as const, format: 'uuid' } },
};

/** What every operation that reads or writes the store can answer. */
export const STORE_ERRORS = {
  tooManyRequests: 'the queue is full',
  internal: '',
  storageUnavailable: '',
  draining: '',
} as const;
/** What every operation that writes can answer. */
export const WRITE_ERRORS = { forbidden: '', storageFull: '', outcomeUnknown: '' } as const;

/** Puts a description on a handler, for @nestjs/swagger to find. */
export function Describe(operation: OperationDescription): MethodDecorator {
  const { id, tag, summary, description = '', body } = operation;
  return applyDecorators(
    ApiTags(tag),
    ApiOperation({ operationId: id, summary, description, ...(body && { requestBody: requestBody(body) }) }),
    ...(operation.parameters ?? []).map(parameter),
    ...Object.entries(operation.answers).map(([status, answer]) => response(Number(status), answer)),
    ...errorResponses(operation),
  );
}

// ApiBody has no place for examples of a content type; the operation itself has.
function requestBody({ schema, required, contentType, examples }: NonNullable<OperationDescription['body']>): never {
  return { required, content: content(contentType, schema, examples) } as never;
}

function parameter(name: ParameterName): MethodDecorator {
  const { in: place, ...options } = PARAMETERS[name];
  if (place === 'path') return ApiParam(options);
  return place === 'query' ? ApiQuery(options) : (ApiHeader(options) as MethodDecorator);
}

function response(
  status: number,
  { description, schema, contentType, headers = {}, examples }: AnswerDescription,
): MethodDecorator {
  const described = Object.entries(headers).map(([name, text]) => [
    name,
    { description: text, schema: { type: 'string' } },
  ]);
  return ApiResponse({
    status,
    description,
    headers: { ...REQUEST_ID, ...Object.fromEntries(described) },
    ...(schema !== undefined && { content: content(contentType, schema, examples) }),
  } as never);
}

function content(contentType = 'application/json', schema: string, examples: Examples = {}): object {
  const named = Object.entries(examples).map(([name, value]) => [name, { value }]);
  return { [contentType]: { schema: { $ref: `#/components/schemas/${schema}` }, examples: Object.fromEntries(named) } };
}

/** The examples are made by the code that answers, from the table that it answers from. */
function errorResponses({ errors = {}, tag }: OperationDescription): MethodDecorator[] {
  const aws = tag === 'AWS data plane';
  const byStatus = new Map<number, ServiceError[]>();
  for (const [code, detail] of Object.entries(errors)) {
    const error = new ServiceError(code as ServiceErrorCode, detail);
    byStatus.set(error.status, [...(byStatus.get(error.status) ?? []), error]);
  }
  return [...byStatus].map(([status, rows]) =>
    response(status, {
      description: rows.map(({ code }) => code).join(', '),
      schema: aws ? 'AwsError' : 'Problem',
      contentType: aws ? 'application/json' : 'application/problem+json',
      ...(aws && { headers: { 'x-amzn-errortype': `${rows[0]?.awsType}:` } }),
      examples: Object.fromEntries(rows.map((row) => [row.code, (aws ? awsError : problem)(row, EXAMPLE_ID).body])),
    }),
  );
}
