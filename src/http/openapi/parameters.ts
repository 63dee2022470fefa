/** A parameter of an operation. Each resource describes its own parameters in its *.openapi.ts file. */
export interface Parameter {
  readonly in: 'path' | 'query' | 'header';
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
  readonly schema: Record<string, unknown>;
}

/** The API page reads an example only inside the schema. */
export const pathParameter = (name: string, description: string, schema: Record<string, unknown>): Parameter => ({
  in: 'path',
  name,
  description,
  required: true,
  schema: { type: 'string', ...schema },
});

export const queryParameter = (name: string, description: string, schema: Record<string, unknown>): Parameter => ({
  in: 'query',
  name,
  description,
  required: false,
  schema,
});

export const headerParameter = (name: string, description: string): Parameter => ({
  in: 'header',
  name,
  description,
  required: false,
  schema: { type: 'string' },
});
