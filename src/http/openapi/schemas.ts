type Schema = Record<string, unknown>;

const object = (properties: Record<string, Schema>, required: readonly string[], description?: string): Schema => ({
  type: 'object',
  ...(description !== undefined && { description }),
  properties,
  required,
});
const orNull = (schema: Schema): Schema => ({ oneOf: [schema, { type: 'null' }] });

const text: Schema = { type: 'string' };
const flag: Schema = { type: 'boolean' };
const texts: Schema = { type: 'array', items: text };
const data: Schema = { type: 'object', additionalProperties: true };
const version: Schema = { type: 'integer', minimum: 1, description: "The shadow's own counter, without gaps." };
const timestamp: Schema = { type: 'integer', description: 'Epoch seconds.' };
const clientToken: Schema = { type: 'string', description: 'As the request carried it; at most 64 bytes.' };

const deleted: Schema = {
  type: 'array',
  description: 'Each shadow that was deleted, with the version that it had.',
  items: object({ name: { type: ['string', 'null'] }, version, timestamp }, ['name', 'version', 'timestamp']),
};
const document = object({ state: object({ desired: data, reported: data }, []), metadata: data, version }, [
  'state',
  'metadata',
  'version',
]);
const part = object(
  {
    ok: flag,
    since: { type: 'string', format: 'date-time' },
    reason: text,
    warnings: { type: 'array', items: text },
    members: { type: 'array', items: object({ member: text, ok: flag, reason: text }, ['member', 'ok', 'reason']) },
  },
  ['ok', 'since'],
);

const changedAt: Schema = { type: 'string', format: 'date-time', description: 'When the shadow last changed.' };
const shadowName: Schema = { type: ['string', 'null'], description: 'null is the classic shadow.' };
const shadow = {
  state: object({ desired: data, reported: data, delta: data }, []),
  metadata: data,
  version,
  timestamp,
  clientToken,
};
const ABSENT = 'A section is absent when it has no member, delta when nothing differs.';

/** The shapes of all bodies, by name. */
export const SCHEMAS: Record<string, Schema> = {
  AwsShadow: object(shadow, ['state', 'metadata', 'version', 'timestamp'], ABSENT),
  Shadow: object({ ...shadow, changedAt }, ['state', 'metadata', 'version', 'timestamp', 'changedAt'], ABSENT),
  Update: object(
    {
      state: orNull(object({ desired: orNull(data), reported: orNull(data) }, [])),
      version: { type: 'integer', minimum: 0, description: 'Only if the shadow is at this version; else 409.' },
      clientToken,
    },
    ['state'],
    'Members are merged; null removes a member, a section, or both sections.',
  ),
  UpdateAccepted: object(
    { state: orNull(data), metadata: data, version, timestamp, clientToken },
    ['state', 'metadata', 'version', 'timestamp'],
    'Echoes what the request contained.',
  ),
  DeleteAccepted: object({ version, timestamp, clientToken }, ['version', 'timestamp']),
  Token: object({ clientToken }, []),
  MergePatch: { ...orNull(data), description: 'RFC 7396; null clears the section.' },
  AwsNames: object({ results: texts, nextToken: text, timestamp }, ['results', 'timestamp']),
  Shadows: object({ thing: text, classic: flag, names: texts, next: text }, ['thing', 'classic', 'names']),
  Things: object(
    {
      things: {
        type: 'array',
        items: object(
          {
            thing: text,
            classic: flag,
            names: texts,
            shadows: {
              type: 'array',
              items: object({ name: shadowName, version, changedAt }, ['name', 'version', 'changedAt']),
            },
            truncated: { type: 'boolean', description: 'Present and true when the thing has more shadows.' },
          },
          ['thing', 'classic', 'names', 'shadows'],
        ),
      },
      next: text,
    },
    ['things'],
  ),
  Thing: object(
    {
      thing: text,
      shadows: {
        type: 'array',
        items: object(
          {
            name: shadowName,
            version,
            changedAt,
            state: object({ desired: data, reported: data }, []),
            metadata: data,
          },
          ['name', 'version', 'changedAt', 'state', 'metadata'],
        ),
      },
      next: text,
    },
    ['thing', 'shadows'],
  ),
  ThingDeleted: object({ thing: text, deleted, next: text }, ['thing', 'deleted']),
  Events: { type: 'string', description: 'Server-sent events; the data of change and initial is a WatchEvent.' },
  WatchEvent: object(
    {
      kind: { type: 'string', enum: ['updated', 'deleted'] },
      thing: text,
      shadow: { type: ['string', 'null'], description: 'null is the classic shadow.' },
      version,
      revision: { type: 'integer' },
      time: { type: 'string', format: 'date-time' },
      patch: orNull(data),
      delta: orNull(data),
      document: orNull(document),
      clientToken,
      principal: text,
    },
    ['kind', 'thing', 'shadow', 'version', 'revision', 'time', 'patch', 'delta', 'document', 'principal'],
  ),
  Live: object({ live: flag }, ['live']),
  Ready: object({ ready: flag, version: text, parts: { type: 'object', additionalProperties: part } }, [
    'ready',
    'version',
    'parts',
  ]),
  AwsError: object({ message: text, traceId: text }, ['message', 'traceId']),
  Problem: object(
    {
      type: text,
      title: text,
      status: { type: 'integer' },
      detail: text,
      instance: text,
      requestId: text,
      deleted,
      errors: { type: 'array', items: object({ parameter: text, message: text }, ['parameter', 'message']) },
      clientToken,
    },
    ['type', 'title', 'status', 'detail', 'instance', 'requestId'],
    'RFC 9457.',
  ),
};
