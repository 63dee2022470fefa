import { applyDecorators, SetMetadata } from '@nestjs/common';
import type { TSchema } from 'typebox';
import { ApiHeader, ApiOperation, ApiParam, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { ServiceErrorCode } from '../../errors/error-table.js';
import { ServiceError } from '../../errors/service-error.js';
import { awsError, problem } from '../error-body.js';
import { AwsError, Problem } from '../http.openapi.js';
import type { StreamDescription } from './channels.js';
import { schemaOf } from './components.js';
import type { Parameter } from './parameters.js';

type Examples = Readonly<Record<string, unknown>>;

export interface AnswerDescription {
  readonly description: string;
  /** Absent for an answer without a body. */
  readonly schema?: TSchema;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Examples by name. */
  readonly examples?: Examples;
}

/** A heading of the API page. Each resource declares its own. */
export interface Tag {
  readonly name: string;
  readonly description: string;
  /** Tags with lower numbers come first. */
  readonly place: number;
  /** Whether errors have the shape of AWS instead of RFC 9457. */
  readonly awsErrors?: boolean;
}

/** One operation as the API page shows it. *.openapi.ts files hold it, to keep route files short. */
export interface OperationDescription {
  readonly id: string;
  readonly tag: Tag;
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly Parameter[];
  readonly body?: {
    readonly schema: TSchema;
    readonly required: boolean;
    readonly contentType?: string;
    readonly examples: Examples;
    /** Another form of the body. */
    readonly or?: { readonly schema: TSchema; readonly contentType: string; readonly examples: Examples };
  };
  readonly answers: Readonly<Record<number, AnswerDescription>>;
  /** Rows of the error table that the operation answers with; `detail` fills the text of the example. */
  readonly errors?: Readonly<Partial<Record<ServiceErrorCode, string>>>;
  /** What goes over it, where it is a stream: /asyncapi.json has it. */
  readonly stream?: StreamDescription;
}

/** Placeholder for the id that every answer carries in its headers. */
const EXAMPLE_ID = '6f1c2d3e-0000-4000-8000-000000000000';
const REQUEST_ID = {
  'x-amzn-requestid': { description: 'Id of the request.', schema: { type: 'string' as const, format: 'uuid' } },
};

/** Errors of every operation that reads or writes the store. */
export const STORE_ERRORS = {
  tooManyRequests: 'the queue is full',
  internal: '',
  storageUnavailable: '',
  draining: '',
} as const;
/** Errors of every operation that writes. */
export const WRITE_ERRORS = { forbidden: '', storageFull: '', outcomeUnknown: '' } as const;

/** Metadata key of the description of a handler. */
export const DESCRIPTION = 'umbra:description';

/** Attaches a description to a handler, where @nestjs/swagger and `openApiOf` find it. */
export function Describe(operation: OperationDescription): MethodDecorator {
  const { id, tag, summary, description = '', body } = operation;
  return applyDecorators(
    SetMetadata(DESCRIPTION, operation),
    ApiTags(tag.name),
    ApiOperation({ operationId: id, summary, description, ...(body && { requestBody: requestBody(body) }) }),
    ...(operation.parameters ?? []).map(parameter),
    ...Object.entries(operation.answers).map(([status, answer]) => response(Number(status), answer)),
    ...errorResponses(operation),
  );
}

// ApiBody accepts no examples of a content type; ApiOperation does.
function requestBody({
  schema,
  required,
  contentType,
  examples,
  or,
}: NonNullable<OperationDescription['body']>): never {
  const other = or && content(or.contentType, or.schema, or.examples);
  return { required, content: { ...content(contentType, schema, examples), ...other } } as never;
}

function parameter({ in: place, ...options }: Parameter): MethodDecorator {
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

function content(contentType = 'application/json', schema: TSchema, examples: Examples = {}): object {
  const named = Object.entries(examples).map(([name, value]) => [name, { value }]);
  return { [contentType]: { schema: schemaOf(schema), examples: Object.fromEntries(named) } };
}

/** Every schema that a description uses. */
export function schemasIn({ answers, body, tag }: OperationDescription): TSchema[] {
  const used = [...Object.values(answers), body, body?.or].flatMap((part) => part?.schema ?? []);
  return [...used, tag.awsErrors ? AwsError : Problem];
}

/** Makes the examples with the code and the table that real error answers come from. */
function errorResponses({ errors = {}, tag }: OperationDescription): MethodDecorator[] {
  const aws = tag.awsErrors === true;
  const byStatus = new Map<number, ServiceError[]>();
  for (const [code, detail] of Object.entries(errors)) {
    const error = new ServiceError(code as ServiceErrorCode, detail);
    byStatus.set(error.status, [...(byStatus.get(error.status) ?? []), error]);
  }
  return [...byStatus].map(([status, rows]) =>
    response(status, {
      description: rows.map(({ code }) => code).join(', '),
      schema: aws ? AwsError : Problem,
      contentType: aws ? 'application/json' : 'application/problem+json',
      ...(aws && { headers: { 'x-amzn-errortype': `${rows[0]?.awsType}:` } }),
      examples: Object.fromEntries(rows.map((row) => [row.code, (aws ? awsError : problem)(row, EXAMPLE_ID).body])),
    }),
  );
}
