import type { RoleName } from '../../access/roles.js';
import { MAX_RECORD_BYTES, type RecordKind } from './record-kind.js';
import {
  AUDIENCE,
  CLAIM_NAME,
  CLAIM_VALUE,
  ISSUER_NAME,
  ISSUER_ROLE,
  ISSUER_URL,
  TENANT_NAME,
  TOKEN_ALGORITHM,
} from './record-names.js';

/** Another service whose access tokens a tenant trusts: `issuers/{tenant}/{name}`. */
export interface IssuerRecord {
  readonly tenant: string;
  /** Begins the ids of its principals: `corp~alice`. */
  readonly name: string;
  /** Equal to the claim `iss`, character by character; its keys are found below it. */
  readonly url: string;
  /** One of them is in the claim `aud`. */
  readonly audiences: readonly string[];
  readonly algorithms: readonly string[];
  /** The claim that names the principal. */
  readonly principalFrom: string;
  /** The claim whose values stand for roles; null: none does. */
  readonly rolesFrom: string | null;
  /** Roles by values of that claim. */
  readonly roles: ReadonlyMap<string, readonly IssuerRole[]>;
  /** Roles of everybody that it names. */
  readonly rolesForAll: readonly IssuerRole[];
  readonly isDisabled: boolean;
  /** Epoch milliseconds. */
  readonly registeredAtMs: number;
}

/** No issuer gives what reaches beyond a tenant. */
export type IssuerRole = Exclude<RoleName, 'admin'>;

const MAX_AUDIENCES = 16;
const MAX_ALGORITHMS = 11;
const MAX_VALUES = 256;
const MAX_ROLES = 16;

export const ISSUER: RecordKind<IssuerRecord> = {
  noun: 'issuer',
  folder: 'issuers',
  parts: [TENANT_NAME, ISSUER_NAME],
  maxBytes: MAX_RECORD_BYTES,
  most: 1_000,
  read: (reader, [tenant = '', name = '']) => ({
    tenant,
    name,
    url: reader.name('url', ISSUER_URL),
    audiences: reader.names('audiences', AUDIENCE, MAX_AUDIENCES),
    algorithms: reader.names('algorithms', TOKEN_ALGORITHM, MAX_ALGORITHMS),
    principalFrom: reader.name('principalFrom', CLAIM_NAME),
    rolesFrom: reader.nameOrNull('rolesFrom', CLAIM_NAME),
    roles: reader.entries(
      'roles',
      { rule: CLAIM_VALUE, most: MAX_VALUES },
      (owner, value) =>
        // The rule allows no other names.
        owner.names(value, ISSUER_ROLE, MAX_ROLES) as readonly IssuerRole[],
    ),
    rolesForAll: reader.names('rolesForAll', ISSUER_ROLE, MAX_ROLES) as readonly IssuerRole[],
    isDisabled: reader.flag('disabled'),
    registeredAtMs: reader.timeMs('registeredAtMs'),
  }),
  write: ({ tenant: _tenant, name: _name, isDisabled, roles, ...rest }) => ({
    ...rest,
    roles: Object.fromEntries(roles),
    disabled: isDisabled,
  }),
  closed: ([tenant = '', name = '']) => ({
    tenant,
    name,
    url: '',
    audiences: [],
    algorithms: [],
    principalFrom: 'sub',
    rolesFrom: null,
    roles: new Map(),
    rolesForAll: [],
    isDisabled: true,
    registeredAtMs: 0,
  }),
};
