import Type, { type Static } from 'typebox';
import { AFTER, IF_MATCH, IF_NONE_MATCH, LIMIT } from '../http/http.openapi.js';
import { type OperationDescription, type Tag } from '../http/openapi/describe.js';
import { CHANGE_RECORD_ERRORS, CREATED_AT, READ_RECORD_ERRORS, recordParameter } from '../http/record.openapi.js';

const GROUPS: Tag = { name: 'Groups', description: 'Principals that share policies', place: 51 };

const members = {
  title: Type.String(),
  policies: Type.Array(Type.String(), { description: 'Attached to all of its members.' }),
};

export const Group = Type.Object({ group: Type.String(), ...members, createdAt: CREATED_AT }, { $id: 'Group' });
export type Group = Static<typeof Group>;

const GroupMembers = Type.Partial(Type.Object(members), { $id: 'GroupMembers' });
const Groups = Type.Object({ groups: Type.Array(Group), next: Type.Optional(Type.String()) }, { $id: 'Groups' });

const EXAMPLE: Group = {
  group: 'first-floor',
  title: 'Lamps of the first floor',
  policies: ['read-plan'],
  createdAt: '2023-11-14T22:13:20.000Z',
};
const GROUP = recordParameter('group', 'Name of the group, unique in its tenant.', '^[a-zA-Z0-9:_-]{1,128}$');
const headers = { etag: 'Revision of the record.' };

export const listGroups: OperationDescription = {
  id: 'listGroups',
  tag: GROUPS,
  summary: 'Groups of the tenant',
  parameters: [LIMIT, AFTER],
  answers: { 200: { description: 'A page', schema: Groups, examples: { page: { groups: [EXAMPLE] } } } },
  errors: { ...READ_RECORD_ERRORS, invalidRequest: 'limit must be given once, as a whole number from 1 to 100' },
};

export const getGroup: OperationDescription = {
  id: 'getGroup',
  tag: GROUPS,
  summary: 'A group',
  description: '`GET /v1/principals?group=` has its members.',
  parameters: [GROUP],
  answers: { 200: { description: 'The group', schema: Group, headers, examples: { group: EXAMPLE } } },
  errors: READ_RECORD_ERRORS,
};

export const updateGroup: OperationDescription = {
  id: 'updateGroup',
  tag: GROUPS,
  summary: 'Create or replace a group',
  description: 'A principal is a member when its own record names the group in `groups`.',
  parameters: [GROUP, IF_MATCH, IF_NONE_MATCH],
  body: { schema: GroupMembers, required: false, examples: { group: { policies: ['read-plan'] } } },
  answers: {
    200: { description: 'Replaced', schema: Group, headers, examples: { group: EXAMPLE } },
    201: { description: 'Created', schema: Group, headers, examples: { group: EXAMPLE } },
  },
  errors: { ...CHANGE_RECORD_ERRORS, invalidJson: ': Unexpected end of JSON input' },
};

export const deleteGroup: OperationDescription = {
  id: 'deleteGroup',
  tag: GROUPS,
  summary: 'Delete a group that has no members any more',
  parameters: [GROUP, IF_MATCH],
  answers: { 204: { description: 'Deleted' } },
  errors: CHANGE_RECORD_ERRORS,
};
