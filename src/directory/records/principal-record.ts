import {
  ATTRIBUTE_NAME,
  GROUP_ID,
  ATTACHED_POLICY,
  PRINCIPAL_ID,
  ROLE_NAME,
  SECRET_TEXT,
  TENANT_NAME,
  THING_NAME,
  THING_TYPE,
} from './record-names.js';
import { MAX_RECORD_BYTES, type RecordKind } from './record-kind.js';
import { MAX_ATTACHED } from './tenant-record.js';

export const PRINCIPAL_KINDS = ['device', 'person', 'service'] as const;
export type PrincipalKind = (typeof PRINCIPAL_KINDS)[number];

/** Who may act: `principals/{tenant}/{id}`. */
export interface PrincipalRecord {
  readonly kind: PrincipalKind;
  readonly isDisabled: boolean;
  /** The thing whose device it is; null: of none. */
  readonly thing: string | null;
  readonly thingType: string | null;
  /** Attributes of the thing, for the variables of policies. */
  readonly attributes: ReadonlyMap<string, string>;
  /** Built-in roles. */
  readonly roles: readonly string[];
  /** Attached policies of its tenant, or roles. */
  readonly policies: readonly string[];
  readonly groups: readonly string[];
  /** Hash of a password that a person has chosen; null: it has none. Never the password. */
  readonly passwordHash: string | null;
  /** Epoch milliseconds. */
  readonly createdAtMs: number;
}

const MAX_ROLES = 16;
/** As AWS IoT allows attributes of a thing. */
const MAX_ATTRIBUTES = 50;
const MAX_ATTRIBUTE = 800;

export const PRINCIPAL: RecordKind<PrincipalRecord> = {
  noun: 'principal',
  folder: 'principals',
  parts: [TENANT_NAME, PRINCIPAL_ID],
  maxBytes: MAX_RECORD_BYTES,
  most: 1_000_000,
  read: (reader) => ({
    kind: reader.choice('kind', PRINCIPAL_KINDS),
    isDisabled: reader.flag('disabled'),
    thing: reader.nameOrNull('thing', THING_NAME),
    thingType: reader.nameOrNull('thingType', THING_TYPE),
    attributes: reader.entries('attributes', { rule: ATTRIBUTE_NAME, most: MAX_ATTRIBUTES }, (owner, name) =>
      owner.text(name, MAX_ATTRIBUTE),
    ),
    roles: reader.names('roles', ROLE_NAME, MAX_ROLES),
    policies: reader.names('policies', ATTACHED_POLICY, MAX_ATTACHED),
    groups: reader.names('groups', GROUP_ID, MAX_ATTACHED),
    passwordHash: reader.nameOrNull('passwordHash', SECRET_TEXT),
    createdAtMs: reader.timeMs('createdAtMs'),
  }),
  write: ({ isDisabled, attributes, ...rest }) => ({
    ...rest,
    disabled: isDisabled,
    attributes: Object.fromEntries(attributes),
  }),
  closed: () => ({
    kind: 'device',
    isDisabled: true,
    thing: null,
    thingType: null,
    attributes: new Map(),
    roles: [],
    policies: [],
    groups: [],
    passwordHash: null,
    createdAtMs: 0,
  }),
};
