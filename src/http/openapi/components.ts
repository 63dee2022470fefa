import type { TSchema } from 'typebox';

/**
 * A schema as it stands in a description: a reference for a schema with a name (`$id`), else the schema itself. Nested
 * schemas are replaced alike.
 */
export function schemaOf(schema: TSchema): object {
  const { $id } = schema as { $id?: string };
  return $id === undefined ? inline(schema) : { $ref: `#/components/schemas/${$id}` };
}

/** The named schemas of a description by their names, nested ones included. */
export function componentsOf(schemas: Iterable<TSchema>): Record<string, object> {
  const found: Record<string, object> = {};
  const collect = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const { $id, ...rest } = value as { $id?: unknown };
    if (typeof $id === 'string') found[$id] = inline(rest);
    for (const each of Object.values(value)) collect(each);
  };
  for (const schema of schemas) collect(schema);
  return found;
}

function inline(schema: object): object {
  const within = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(within);
    return typeof value === 'object' && value !== null ? schemaOf(value as TSchema) : value;
  };
  return Object.fromEntries(Object.entries(schema).map(([member, value]) => [member, within(value)]));
}
