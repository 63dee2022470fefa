import type { Principal } from '../access/principal.js';
import type { AccessDirectory } from '../directory/access-directory.js';
import { DENY_ALL } from '../directory/records/policy-record.js';
import { ROLE_PREFIX } from './roles.js';

/** Names of all policies that a principal is subject to, each once and in one order. No errors. */
export function subjectPolicies(directory: AccessDirectory, { id, tenant, issuer, roles = [] }: Principal): string[] {
  const record = directory.get('principal', tenant, id)?.record;
  const names = new Set<string>();
  for (const role of [...roles, ...(record?.roles ?? [])]) names.add(ROLE_PREFIX + role);
  for (const name of directory.get('tenant', tenant)?.record.policies ?? []) names.add(name);
  for (const name of record?.policies ?? []) names.add(name);
  for (const group of record?.groups ?? []) {
    // One that is gone may have denied something.
    for (const name of directory.get('group', tenant, group)?.record.policies ?? [DENY_ALL]) names.add(name);
  }
  // Who may register issuers of a tenant must not get beyond the tenant by one.
  if (issuer !== undefined) names.delete(`${ROLE_PREFIX}admin`);
  return [...names].sort();
}
