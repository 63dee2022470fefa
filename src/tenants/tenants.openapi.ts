import { TENANT_LIMITS } from '../access/rate-limits.js';
import { TENANT_SESSION_LIMITS } from '../access/session-limits.js';
import Type, { type Static } from 'typebox';
import { RECORDS_LIMIT } from '../directory/records/tenant-record.js';
import { AFTER, IF_MATCH, IF_NONE_MATCH, LIMIT } from '../http/http.openapi.js';
import { type OperationDescription, type Tag } from '../http/openapi/describe.js';
import { CHANGE_RECORD_ERRORS, CREATED_AT, READ_RECORD_ERRORS, recordParameter } from '../http/record.openapi.js';

const TENANTS: Tag = { name: 'Tenants', description: 'What one has, no other can see', place: 53 };

/** What `limits` may name. */
export const LIMIT_NAMES: readonly string[] = [
  ...Object.values(TENANT_LIMITS),
  ...Object.values(TENANT_SESSION_LIMITS),
  RECORDS_LIMIT,
];

const members = {
  title: Type.String(),
  disabled: Type.Boolean({ description: 'Nobody of a disabled tenant may do anything.' }),
  account: Type.Union([Type.String(), Type.Null()], {
    description: 'AWS account that ARNs in its policies must name.',
  }),
  policies: Type.Array(Type.String(), { description: 'Attached to all of its principals.' }),
  limits: Type.Record(Type.String(), Type.Integer({ minimum: 0 }), {
    description: `Requests a second, and MQTT sessions at once, that one node serves, and records of each kind of access, by ${LIMIT_NAMES.join(', ')}; 0 is no limit, and what is not named is as the node has it.`,
  }),
};

export const Tenant = Type.Object({ tenant: Type.String(), ...members, createdAt: CREATED_AT }, { $id: 'Tenant' });
export type Tenant = Static<typeof Tenant>;

const TenantMembers = Type.Partial(Type.Object(members), { $id: 'TenantMembers' });
const Tenants = Type.Object({ tenants: Type.Array(Tenant), next: Type.Optional(Type.String()) }, { $id: 'Tenants' });

const EXAMPLE: Tenant = {
  tenant: 'default',
  title: '',
  disabled: false,
  account: null,
  policies: [],
  limits: { requestsPerSecondOfThing: 5 },
  createdAt: '2023-11-14T22:13:20.000Z',
};
const TENANT = recordParameter('tenant', 'Name of the tenant.');
const headers = { etag: 'Revision of the record.' };

export const listTenants: OperationDescription = {
  id: 'listTenants',
  tag: TENANTS,
  summary: 'All tenants',
  parameters: [LIMIT, AFTER],
  answers: { 200: { description: 'A page', schema: Tenants, examples: { page: { tenants: [EXAMPLE] } } } },
  errors: { ...READ_RECORD_ERRORS, invalidRequest: 'limit must be given once, as a whole number from 1 to 100' },
};

export const getTenant: OperationDescription = {
  id: 'getTenant',
  tag: TENANTS,
  summary: 'A tenant',
  parameters: [TENANT],
  answers: { 200: { description: 'The tenant', schema: Tenant, headers, examples: { tenant: EXAMPLE } } },
  errors: READ_RECORD_ERRORS,
};

export const updateTenant: OperationDescription = {
  id: 'updateTenant',
  tag: TENANTS,
  summary: 'Create or replace a tenant',
  parameters: [TENANT, IF_MATCH, IF_NONE_MATCH],
  body: { schema: TenantMembers, required: false, examples: { tenant: { title: 'Factory 7' } } },
  answers: {
    200: { description: 'Replaced', schema: Tenant, headers, examples: { tenant: EXAMPLE } },
    201: { description: 'Created', schema: Tenant, headers, examples: { tenant: EXAMPLE } },
  },
  errors: { ...CHANGE_RECORD_ERRORS, invalidJson: ': Unexpected end of JSON input' },
};

export const deleteTenant: OperationDescription = {
  id: 'deleteTenant',
  tag: TENANTS,
  summary: 'Delete a tenant that has nobody and no shadow any more',
  parameters: [TENANT, IF_MATCH],
  answers: { 204: { description: 'Deleted' } },
  errors: CHANGE_RECORD_ERRORS,
};
