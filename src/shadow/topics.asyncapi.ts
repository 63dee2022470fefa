import Type from 'typebox';
import type { MessageDescription, TopicDescription } from '../http/openapi/channels.js';
import { ClientToken, Timestamp } from '../http/http.openapi.js';
import type { MetadataObject } from '../document/shadow-document.js';
import { shadowTopic, type Operation, type Tail } from '../mqtt/topics.js';
import { AwsShadow, Data, METADATA, ShadowRead, Token, Version } from './document.openapi.js';
import { DeleteAccepted, Update, UpdateAccepted } from './shadow.openapi.js';

/** Messages of MQTT that no operation of HTTP has. */

export const Delta = Type.Object(
  {
    version: Version,
    timestamp: Timestamp,
    state: Data,
    metadata: Type.Unsafe<MetadataObject>({ type: 'object', additionalProperties: true }),
    clientToken: Type.Optional(ClientToken),
  },
  { $id: 'Delta', description: 'The members of desired that differ from reported.' },
);
export const Documents = Type.Object(
  {
    previous: Type.Union([ShadowRead, Type.Null()]),
    current: ShadowRead,
    timestamp: Timestamp,
    clientToken: Type.Optional(ClientToken),
  },
  { $id: 'Documents', description: 'The document before and after an update; previous is null for a creation.' },
);
export const Rejected = Type.Object(
  { code: Type.Integer(), message: Type.String(), clientToken: Type.Optional(ClientToken) },
  { $id: 'Rejected', description: 'code is the status that HTTP has for it.' },
);

const CHANGED = { desired: { led: 'on' }, reported: { led: 'off' } };

const MESSAGES: Readonly<Record<Tail, MessageDescription>> = {
  get: { name: 'Get', summary: 'Asks for the document', schema: Token },
  'get/accepted': { name: 'GetAccepted', summary: 'The document', schema: AwsShadow },
  'get/rejected': { name: 'GetRejected', summary: 'Why there is none', schema: Rejected },
  update: {
    name: 'Update',
    summary: 'Changes the document',
    schema: Update,
    examples: [{ state: { reported: { led: 'on' } }, clientToken: 'lamp-17' }],
  },
  'update/accepted': { name: 'UpdateAccepted', summary: 'An update was stored', schema: UpdateAccepted },
  'update/rejected': { name: 'UpdateRejected', summary: 'Why an update was not stored', schema: Rejected },
  'update/delta': {
    name: 'Delta',
    summary: 'After an update that leaves a difference',
    schema: Delta,
    examples: [{ version: 4, timestamp: 1700000000, state: { led: 'on' }, metadata: METADATA.desired }],
  },
  'update/documents': {
    name: 'Documents',
    summary: 'The documents before and after an update',
    schema: Documents,
    examples: [{ previous: null, current: { state: CHANGED, metadata: METADATA, version: 1 }, timestamp: 1700000000 }],
  },
  delete: { name: 'Delete', summary: 'Deletes the shadow', schema: Token },
  'delete/accepted': { name: 'DeleteAccepted', summary: 'The shadow was deleted', schema: DeleteAccepted },
  'delete/rejected': { name: 'DeleteRejected', summary: 'Why it was not deleted', schema: Rejected },
};

/** User properties of MQTT 5, of requests and of what tells of a change (docs/tracing.md). */
const Trace = Type.Object({
  traceparent: Type.Optional(Type.String({ description: 'W3C Trace Context' })),
  tracestate: Type.Optional(Type.String()),
});
/** The other messages answer one client. */
const isTraced = (tail: Tail): boolean => !tail.startsWith('get/') && !tail.endsWith('/rejected');

/** The topics of an operation, and of what follows it, for classic and for named shadows. No errors. */
export function topicsFor(operation: Operation): TopicDescription[] {
  const tails = (Object.keys(MESSAGES) as Tail[]).filter((tail) => tail.split('/', 1)[0] === operation);
  return [null, '{shadow}'].flatMap((name) =>
    tails.map((tail): TopicDescription => {
      const message = isTraced(tail) ? { ...MESSAGES[tail], headers: Trace } : MESSAGES[tail];
      return {
        name: `${name === null ? 'classic' : 'named'}${message.name}`,
        topic: `${shadowTopic({ thing: '{thing}', name })}/${tail}`,
        action: tail === operation ? 'receive' : 'send',
        message,
      };
    }),
  );
}
