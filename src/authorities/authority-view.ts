import type { AccessEntry } from '../directory/access-records.js';
import type { AuthorityRecord } from '../directory/records/authority-record.js';
import type { DeviceTrust } from '../auth/certificates/device-trust.js';
import type { Authority } from './authorities.openapi.js';

/** What is shown of an authority. All of it is public. No errors. */
export function authorityView({ names, record, fault }: AccessEntry<AuthorityRecord>, trust: DeviceTrust): Authority {
  const [tenant = '', authority = ''] = names;
  const { pem, nameFrom, isDisabled, registersAtFirstSight, policies, registeredAtMs } = record;
  const used = trust.authorities.get(tenant, authority);
  return {
    authority,
    pem,
    key: used?.keyHash ?? null,
    notAfter: used ? new Date(used.notAfterMs).toISOString() : null,
    nameFrom,
    disabled: isDisabled,
    registersAtFirstSight,
    policies: [...policies],
    createdAt: new Date(registeredAtMs).toISOString(),
    fault: fault ?? trust.faultOf(tenant, authority),
  };
}
