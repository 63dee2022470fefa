import Type, { type Static } from 'typebox';
import { IF_MATCH, IF_NONE_MATCH } from '../http/http.openapi.js';
import type { OperationDescription, Tag } from '../http/openapi/describe.js';
import { CHANGE_RECORD_ERRORS, READ_RECORD_ERRORS } from '../http/record.openapi.js';

const ROUTE_LISTS: Tag = { name: 'Route lists', description: 'What a listener lets through at all', place: 56 };

const patterns = Type.Array(Type.String());
const allow = Type.Union([patterns, Type.Null()], {
  description: 'Patterns of which one must match; null: everything that is not denied.',
});
const listenersOf = <List extends ReturnType<typeof Type.Object>>(list: List) =>
  Type.Record(Type.String({ pattern: '^(https?|grpcs?|\\*)$' }), list, {
    description:
      'By `http`, `https`, `grpc`, `grpcs`, or `*` for all of them, beside their own. A call of gRPC is a POST.',
  });

export const RouteLists = Type.Object(
  { listeners: listenersOf(Type.Object({ allow, deny: patterns })) },
  { $id: 'RouteLists' },
);
export type RouteLists = Static<typeof RouteLists>;
const RouteListsMembers = Type.Object(
  { listeners: listenersOf(Type.Object({ allow: Type.Optional(allow), deny: Type.Optional(patterns) })) },
  { $id: 'RouteListsMembers' },
);

const EXAMPLE: RouteLists = {
  listeners: { https: { allow: ['* /things/**', 'GET /v1/**'], deny: ['* /v1/tenants/**', 'GET /docs*/**'] } },
};
const answer = (description: string) => ({
  description,
  schema: RouteLists,
  headers: { etag: 'Revision of the record; none while there are no lists.' },
  examples: { lists: EXAMPLE },
});

export const listRouteLists: OperationDescription = {
  id: 'listRouteLists',
  tag: ROUTE_LISTS,
  summary: 'The route lists of all listeners',
  answers: { 200: answer('The lists; no listeners: everything is let through') },
  errors: READ_RECORD_ERRORS,
};

export const updateRouteLists: OperationDescription = {
  id: 'updateRouteLists',
  tag: ROUTE_LISTS,
  summary: 'Create or replace the route lists of all listeners',
  description:
    'A pattern is a method or `*`, a space, and a path in which `*` stands for a part of one segment and `**` for any ' +
    'number of segments. Lists that would close this route on the listener that the request came over are refused.',
  parameters: [IF_MATCH, IF_NONE_MATCH],
  body: { schema: RouteListsMembers, required: true, examples: { lists: EXAMPLE } },
  answers: { 200: answer('Replaced'), 201: answer('Created') },
  errors: {
    ...CHANGE_RECORD_ERRORS,
    invalidRequest: '"HEAD /v1/things" names HEAD, which counts as GET; write GET',
    invalidJson: ': Unexpected end of JSON input',
  },
};

export const deleteRouteLists: OperationDescription = {
  id: 'deleteRouteLists',
  tag: ROUTE_LISTS,
  summary: 'Let everything through again',
  parameters: [IF_MATCH],
  answers: { 204: { description: 'Deleted' } },
  errors: CHANGE_RECORD_ERRORS,
};
