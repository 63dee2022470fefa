import Type, { type Static } from 'typebox';
import { IF_MATCH, IF_NONE_MATCH } from '../http/http.openapi.js';
import type { OperationDescription, Tag } from '../http/openapi/describe.js';
import { CHANGE_RECORD_ERRORS, READ_RECORD_ERRORS } from '../http/record.openapi.js';
import { LOG_LEVELS } from '../telemetry/logger.js';
import { DOORS, KINDS } from '../telemetry/request-metrics.js';
import { MAX_PER_SECOND, MAX_RULES, WHOLE } from '../telemetry/sampling.js';
import { FLAGS } from './flags.js';

const RUNTIME: Tag = { name: 'Runtime configuration', description: 'What changes without a restart', place: 58 };

const orNull = <S extends Parameters<typeof Type.Union>[0][number]>(schema: S) => Type.Union([schema, Type.Null()]);

const flags = Object.entries(FLAGS).map(([name, { default: value, meaning }]) => [
  name,
  Type.Optional(Type.Boolean({ default: value, description: meaning })),
]);
const Rule = Type.Object({
  door: Type.Optional(Type.Enum(DOORS)),
  operation: Type.Optional(Type.Enum(KINDS)),
  tenant: Type.Optional(Type.String()),
  rate: Type.Integer({ minimum: 0, maximum: WHOLE, description: 'Parts per 10,000.' }),
});
const Sampling = Type.Object(
  {
    rules: Type.Array(Rule, { maxItems: MAX_RULES, description: 'The first one that covers a request decides.' }),
    failed: Type.Boolean({ description: 'Whether every request that the node has failed is traced.' }),
    slowMs: orNull(Type.Integer({ description: 'Every request that takes longer is traced; null: none for that.' })),
    maxPerSecond: Type.Integer({ minimum: 0, maximum: MAX_PER_SECOND }),
  },
  { description: 'Which requests are traced, in the place of the variables UMBRA_TRACE_*. All members are required.' },
);
export const RuntimeMembers = Type.Object(
  {
    logLevel: Type.Optional(Type.Enum(LOG_LEVELS, { description: 'As UMBRA_LOG_LEVEL.' })),
    flags: Type.Optional(Type.Object(Object.fromEntries(flags) as Record<string, never>)),
    sampling: Type.Optional(Sampling),
  },
  { $id: 'RuntimeMembers', description: 'What a member does not say is as the environment of each node has it.' },
);

const Version = Type.Object({
  version: Type.Integer(),
  document: orNull(Type.Unsafe<object>({ type: 'object', description: 'null: the node that answers cannot read it.' })),
  stagedBy: orNull(Type.String()),
  stagedAt: orNull(Type.String({ description: 'RFC 3339.' })),
  restores: orNull(Type.Integer({ description: 'Version whose document it has again.' })),
  promotedBy: orNull(Type.String()),
  promotedAt: orNull(Type.String({ description: 'RFC 3339.' })),
});
const Verdict = Type.Object({
  version: Type.Integer(),
  accepted: Type.Boolean(),
  fault: orNull(Type.String({ description: 'Why the node does not take it.' })),
});
const Node = Type.Object({
  node: Type.String(),
  software: orNull(Type.String({ description: 'Its version; null: the node says nothing.' })),
  inForce: orNull(Type.Integer({ description: 'Version that the node follows; null: its environment alone.' })),
  staged: orNull(Verdict),
  live: orNull(Verdict),
});
export const Runtime = Type.Object(
  {
    live: orNull(Version),
    staged: Type.Union([Version, Type.Null()], { description: 'The one that waits for its promotion.' }),
    nodes: Type.Array(Node, { description: 'All that live.' }),
    history: Type.Array(Version, { description: 'The last ten that were live, the latest first.' }),
  },
  { $id: 'Runtime' },
);
export type Runtime = Static<typeof Runtime>;

const DOCUMENT = {
  logLevel: 'debug',
  flags: { bulk: false },
  sampling: { rules: [{ door: 'mqtt', rate: 1000 }, { rate: 100 }], failed: true, slowMs: 1000, maxPerSecond: 50 },
};
const staged = {
  ...{ version: 7, document: DOCUMENT, stagedBy: 'admin', stagedAt: '2023-11-14T22:13:20.000Z' },
  ...{ restores: null, promotedBy: null, promotedAt: null },
};
const promoted = { ...staged, promotedBy: 'admin', promotedAt: '2023-11-14T22:14:20.000Z' };
const accepted = { version: 7, accepted: true, fault: null };
const node = { node: 'umbra-1', software: '0.1.0', inForce: null, staged: accepted, live: null };
const STAGED: Runtime = { live: null, staged, nodes: [node], history: [] };
const PROMOTED: Runtime = {
  ...{ live: promoted, staged: null, history: [promoted] },
  nodes: [{ ...node, inForce: 7, live: accepted }],
};
const answer = (description: string, example: Runtime) => ({
  description,
  schema: Runtime,
  headers: { etag: 'Revision of the staged document; none while none waits for its promotion.' },
  examples: { runtime: example },
});
const ERRORS = { ...READ_RECORD_ERRORS, storageUnavailable: '' };
const inTheWay = 'version 7 cannot be promoted: node umbra-2 refuses it: flags.bulk must be true or false';
const CHANGE_ERRORS = { ...CHANGE_RECORD_ERRORS, preconditionFailed: inTheWay } as const;

export const getRuntime: OperationDescription = {
  id: 'getRuntime',
  tag: RUNTIME,
  summary: 'The runtime configuration, and what each node says of it',
  answers: { 200: answer('As of now', PROMOTED) },
  errors: ERRORS,
};

export const updateRuntime: OperationDescription = {
  id: 'stageRuntime',
  tag: RUNTIME,
  summary: 'Stage a document',
  description:
    'Nothing changes yet: every node says whether it takes the document. The answer waits up to 2 seconds for them. ' +
    'Replacing a document that waits for its promotion takes If-Match.',
  parameters: [IF_MATCH, IF_NONE_MATCH],
  body: { schema: RuntimeMembers, required: true, examples: { document: DOCUMENT } },
  answers: { 200: answer('Staged', STAGED) },
  errors: {
    ...CHANGE_RECORD_ERRORS,
    invalidRequest: 'logLevel must be one of fatal, error, warn, info, debug, trace, silent',
    invalidJson: ': Unexpected end of JSON input',
  },
};

export const promoteRuntime: OperationDescription = {
  id: 'promoteRuntime',
  tag: RUNTIME,
  summary: 'Make the staged document live on all nodes',
  description:
    'Refused while a node that lives does not take it, with what that node says. The answer waits up to 2 seconds until ' +
    'the nodes follow.',
  parameters: [IF_MATCH],
  answers: { 200: answer('Live', PROMOTED) },
  errors: CHANGE_ERRORS,
};

export const rollbackRuntime: OperationDescription = {
  id: 'rollbackRuntime',
  tag: RUNTIME,
  summary: 'Make an earlier document live again',
  description:
    'Stages it under a new version, in the place of a document that waits for its promotion, and promotes it. Without a ' +
    'version it is the one before the live one.',
  parameters: [],
  body: {
    schema: Type.Object(
      { version: Type.Optional(Type.Integer()) },
      { $id: 'RuntimeVersion', additionalProperties: false },
    ),
    required: false,
    examples: { version: { version: 6 } },
  },
  answers: { 200: answer('Live', PROMOTED) },
  errors: {
    ...CHANGE_ERRORS,
    invalidRequest: 'version must be a whole number',
    invalidJson: ': Unexpected end of JSON input',
  },
};
