import type { OpenAPIObject } from '@nestjs/swagger';

/** W3C Trace Context. */
const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

const parameter = (name: string, description: string, example: string): object => ({
  ...{ name, in: 'header', required: false, description, schema: { type: 'string' } },
  // Not `example`, which forms would send.
  examples: { [name]: { value: example } },
});

const PARAMETERS = {
  traceparent: parameter(
    'traceparent',
    'Trace of the caller, which the request continues (W3C Trace Context). One that is not valid counts as absent.',
    PARENT,
  ),
  tracestate: parameter('tracestate', 'Goes with `traceparent`; at most 512 bytes.', 'vendor=1'),
};

const HEADERS = {
  traceresponse: {
    description: 'Trace and span of the request, where the node traces it and it was not refused before.',
    schema: { type: 'string' },
    example: PARENT,
  },
};

interface Operation {
  readonly operationId?: string;
  parameters?: unknown[];
  readonly responses: Readonly<Record<string, { headers?: Record<string, unknown> }>>;
}

/** Adds the headers of traces to every operation. @param streams ids of those that are not traced: they last */
export function addTraceHeaders(document: OpenAPIObject, streams: ReadonlySet<string>): OpenAPIObject {
  const parameters = Object.keys(PARAMETERS).map((name) => ({ $ref: `#/components/parameters/${name}` }));
  for (const methods of Object.values(document.paths)) {
    for (const operation of Object.values(methods as Readonly<Record<string, Operation>>)) {
      if (streams.has(operation.operationId ?? '')) continue;
      operation.parameters = [...(operation.parameters ?? []), ...parameters];
      for (const answer of Object.values(operation.responses))
        answer.headers = { ...answer.headers, traceresponse: { $ref: '#/components/headers/traceresponse' } };
    }
  }
  const components = { ...document.components, parameters: PARAMETERS, headers: HEADERS };
  return { ...document, components } as unknown as OpenAPIObject;
}
