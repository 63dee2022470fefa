import type { AccessEntry } from '../directory/access-records.js';
import type { TenantRecord } from '../directory/records/tenant-record.js';
import type { Tenant } from './tenants.openapi.js';

export function tenantView({ names, record }: AccessEntry<TenantRecord>): Tenant {
  const { title, isDisabled, account, policies, limits, createdAtMs } = record;
  return {
    tenant: names[0] ?? '',
    title,
    disabled: isDisabled,
    account,
    policies: [...policies],
    limits: Object.fromEntries(limits),
    createdAt: new Date(createdAtMs).toISOString(),
  };
}
