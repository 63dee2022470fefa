import Type, { type Static } from 'typebox';
import type { OperationDescription, Tag } from '../http/openapi/describe.js';
import { CHANGE_RECORD_ERRORS, READ_RECORD_ERRORS, recordParameter } from '../http/record.openapi.js';

const NODES: Tag = { name: 'Nodes', description: 'Connections of the nodes, and how to even them out', place: 57 };

/** Milliseconds of the longest time over which connections are shed. */
export const MAX_SPREAD_MS = 600_000;
export const MAX_CONNECTIONS = 10_000_000;

const orNull = <S extends Parameters<typeof Type.Union>[0][number]>(schema: S, description: string) =>
  Type.Union([schema, Type.Null()], { description });

const Node = Type.Object(
  {
    node: Type.String(),
    software: orNull(Type.String(), 'Its version; null: it says nothing of its connections.'),
    connections: orNull(Type.Integer(), 'MQTT clients that are connected to its built-in broker.'),
    draining: Type.Boolean({ description: 'It is shutting down, and is not counted in the mean.' }),
    shed: orNull(
      Type.Object({
        connections: Type.Integer({ description: 'How many are to go.' }),
        closed: Type.Integer({ description: 'How many have been asked to go.' }),
        done: Type.Boolean(),
      }),
      'The last time that it was asked to shed connections; null: it was not.',
    ),
  },
  { $id: 'Node' },
);
const mean = orNull(Type.Number(), 'Connections of a node that stays; null: none says how many it has.');
export const NodeList = Type.Object({ nodes: Type.Array(Node), mean }, { $id: 'Nodes' });
export type NodeList = Static<typeof NodeList>;
export type NodeView = Static<typeof Node>;

const ShedMembers = Type.Object(
  {
    connections: Type.Optional(
      Type.Integer({ minimum: 1, maximum: MAX_CONNECTIONS, description: 'Those above the mean by default.' }),
    ),
    spreadMs: Type.Optional(
      Type.Integer({
        ...{ minimum: 0, maximum: MAX_SPREAD_MS },
        description: 'Milliseconds over which they go; UMBRA_DRAIN_SPREAD_MS by default.',
      }),
    ),
  },
  { $id: 'ShedMembers', additionalProperties: false },
);
const Shedding = Type.Object(
  { connections: Type.Integer({ description: '0: it has none above the mean.' }), node: Node },
  { $id: 'Shedding' },
);

const node = { node: 'umbra-1', software: '0.1.0', connections: 400, draining: false, shed: null };
const LIST: NodeList = { nodes: [node, { ...node, node: 'umbra-2', connections: 0 }], mean: 200 };

export const listNodes: OperationDescription = {
  id: 'listNodes',
  tag: NODES,
  summary: 'The nodes that live and their connections',
  description:
    'Each node counts its connections once a second. A node with an etcd of its own knows itself alone. Without ' +
    'authentication a node answers only to its own machine.',
  answers: { 200: { description: 'As of now', schema: NodeList, examples: { nodes: LIST } } },
  errors: { ...READ_RECORD_ERRORS, storageUnavailable: '', forbidden: '' },
};

export const shedNode: OperationDescription = {
  id: 'shedConnections',
  tag: NODES,
  summary: 'Have a node ask some of its clients to use another node',
  description:
    'Clients taken at random are disconnected at an even rate, each when its requests are answered; those of MQTT 5 with ' +
    'reason 0x9C (use another server). The balancer in front of the nodes decides where they come back. The answer comes ' +
    'when the node begins; listNodes shows how far it is.',
  parameters: [recordParameter('node', 'Name of the node.', '^[A-Za-z0-9._-]{1,128}$')],
  body: { schema: ShedMembers, required: false, examples: { some: { connections: 200, spreadMs: 5000 } } },
  answers: {
    202: {
      description: 'The node begins, or has nothing to shed',
      schema: Shedding,
      examples: {
        begun: { connections: 200, node: { ...node, shed: { connections: 200, closed: 1, done: false } } },
      },
    },
  },
  errors: {
    ...CHANGE_RECORD_ERRORS,
    invalidRequest: 'connections must be a whole number from 1 to 10000000',
    invalidJson: ': Unexpected end of JSON input',
    noRecord: "node 'umbra-9'",
    preconditionFailed: 'node umbra-1 is shedding: 120 of 200 are gone',
    outcomeUnknown: '',
    forbidden: '',
  },
};
