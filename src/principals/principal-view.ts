import type { AccessEntry } from '../directory/access-records.js';
import type { PrincipalRecord } from '../directory/records/principal-record.js';
import type { Principal } from './principals.openapi.js';

/** What is shown of a principal: never its password's hash. */
export function principalView({ names, record }: AccessEntry<PrincipalRecord>): Principal {
  const { kind, isDisabled, thing, thingType, attributes, roles, policies, groups, createdAtMs } = record;
  return {
    principal: names.at(-1) ?? '',
    kind,
    disabled: isDisabled,
    thing,
    thingType,
    attributes: Object.fromEntries(attributes),
    roles: [...roles],
    policies: [...policies],
    groups: [...groups],
    createdAt: new Date(createdAtMs).toISOString(),
  };
}
