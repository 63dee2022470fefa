import Type from 'typebox';
import type { JsonObject, ShadowDocument } from '../document/shadow-document.js';
import { ClientToken, Timestamp } from '../http/http.openapi.js';
import { pathParameter, queryParameter } from '../http/openapi/parameters.js';

/** Shapes, parameters and examples of shadow documents, for every resource that shows them. */

export const Data = Type.Unsafe<JsonObject>({ type: 'object', additionalProperties: true });
export const Metadata = Type.Unsafe<ShadowDocument['metadata']>({ type: 'object', additionalProperties: true });
export const Version = Type.Integer({ minimum: 1, description: "The shadow's own counter, without gaps." });
export const ShadowName = Type.Union([Type.String(), Type.Null()], { description: 'null is the classic shadow.' });
export const ChangedAt = Type.String({ format: 'date-time', description: 'When the shadow last changed.' });

const sections = { desired: Type.Optional(Data), reported: Type.Optional(Data) };
const ABSENT = 'A section is absent when it has no member, delta when nothing differs.';
const document = {
  state: Type.Object({ ...sections, delta: Type.Optional(Data) }),
  metadata: Metadata,
  version: Version,
  timestamp: Timestamp,
  clientToken: Type.Optional(ClientToken),
};

/** The stored document, without the members that an answer adds. */
export const ShadowRead = Type.Object({ state: Type.Object(sections), metadata: Metadata, version: Version });
export const AwsShadow = Type.Object(document, { $id: 'AwsShadow', description: ABSENT });
export const Shadow = Type.Object({ ...document, changedAt: ChangedAt }, { $id: 'Shadow', description: ABSENT });
export const Token = Type.Object({ clientToken: Type.Optional(ClientToken) }, { $id: 'Token' });

const PATTERN = { pattern: '^[a-zA-Z0-9:_-]{1,128}$' };

export const THING = pathParameter(
  'thing',
  'The thing. It need not be known before: the first update of a shadow creates it.',
  { ...PATTERN, example: 'lamp-1' },
);
/** Has no example, so that the page deletes nothing until a person writes a name into its form. */
export const THING_TO_DELETE = pathParameter('thing', 'The thing.', PATTERN);
export const NAME = queryParameter('name', 'A named shadow; without it the classic one.', {
  type: 'string',
  pattern: '^[$a-zA-Z0-9:_-]{1,64}$',
});

export const METADATA = { desired: { led: { timestamp: 1700000000 } }, reported: { led: { timestamp: 1699999000 } } };
