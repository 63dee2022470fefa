interface Parameter {
  readonly in: 'path' | 'query' | 'header';
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
  readonly schema: Record<string, unknown>;
}

const conditional = (name: string, description: string): Parameter => ({
  in: 'header',
  name,
  description,
  required: false,
  schema: { type: 'string' },
});

const query = (name: string, description: string, schema: Record<string, unknown>): Parameter => ({
  in: 'query',
  name,
  description,
  required: false,
  schema,
});

const size = { type: 'integer', minimum: 1, maximum: 100, default: 25 };

/** Every parameter of every operation, by the name that descriptions use. */
export const PARAMETERS = {
  thing: {
    in: 'path',
    name: 'thing',
    description: 'The thing. It need not be known before: the first update of a shadow creates it.',
    required: true,
    // Here the page takes it from; of an example beside the schema nothing would be left.
    schema: { type: 'string', pattern: '^[a-zA-Z0-9:_-]{1,128}$', example: 'lamp-1' },
  },
  /** Without an example: the page deletes nothing until somebody has written a name into its form. */
  thingToDelete: {
    in: 'path',
    name: 'thing',
    description: 'The thing.',
    required: true,
    schema: { type: 'string', pattern: '^[a-zA-Z0-9:_-]{1,128}$' },
  },
  name: query('name', 'A named shadow; without it the classic one.', {
    type: 'string',
    pattern: '^[$a-zA-Z0-9:_-]{1,64}$',
  }),
  ifMatch: conditional('If-Match', 'Versions such as "3", or * for "it exists". Else 412.'),
  ifNoneMatch: conditional(
    'If-None-Match',
    'Versions such as "3", or * for "it does not exist". Else 412; 304 on GET.',
  ),
  limit: query('limit', 'Entries of one page; a page may be shorter.', size),
  after: query('after', '`next` of the page before.', { type: 'string' }),
  pageSize: query('pageSize', 'Entries of one page; a page may be shorter.', size),
  nextToken: query('nextToken', '`nextToken` of the page before.', { type: 'string' }),
  lastEventId: conditional(
    'Last-Event-ID',
    '`id` of the last event that was dealt with; exactly what came after it follows.',
  ),
  cursor: query('cursor', 'As Last-Event-ID, which counts before it.', { type: 'string' }),
  initial: query('initial', 'Send the present state first. Without effect on a stream that resumes.', {
    type: 'boolean',
    default: false,
  }),
} as const satisfies Record<string, Parameter>;

export type ParameterName = keyof typeof PARAMETERS;
