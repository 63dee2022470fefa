import type { ExternalIssuers } from '../auth/external-issuers.js';
import type { AccessEntry } from '../directory/access-records.js';
import type { IssuerRecord } from '../directory/records/issuer-record.js';
import type { Issuer } from './issuers.openapi.js';

/** What is shown of an issuer. There is no secret in it. No errors. */
export function issuerView({ record, fault }: AccessEntry<IssuerRecord>, external: ExternalIssuers): Issuer {
  const { name, url, audiences, algorithms, principalFrom, rolesFrom, roles, rolesForAll } = record;
  const state = external.stateOf(record);
  return {
    issuer: name,
    url,
    audiences: [...audiences],
    algorithms: [...algorithms],
    principalFrom,
    rolesFrom,
    roles: Object.fromEntries([...roles].map(([value, given]) => [value, [...given]])),
    rolesForAll: [...rolesForAll],
    disabled: record.isDisabled,
    createdAt: new Date(record.registeredAtMs).toISOString(),
    keys: state.keys,
    fault: fault ?? state.fault,
  };
}
