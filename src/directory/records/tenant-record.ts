import { AWS_ACCOUNT, LIMIT_NAME, ATTACHED_POLICY, TENANT_NAME } from './record-names.js';
import { MAX_RECORD_BYTES, type RecordKind } from './record-kind.js';

/** A tenant: `tenants/{tenant}`. */
export interface TenantRecord {
  /** For people. */
  readonly title: string;
  /** Nobody of a disabled tenant may do anything. */
  readonly isDisabled: boolean;
  /** The account that ARNs in its policies have to name; null: any. */
  readonly account: string | null;
  /** Policies that are attached to all of its principals. */
  readonly policies: readonly string[];
  /** By name of the limit, such as requestsPerSecond; what is not named is the default of the node. */
  readonly limits: ReadonlyMap<string, number>;
  /** Epoch milliseconds. */
  readonly createdAtMs: number;
}

/** Name of the limit of its records of each kind; 0: as many as there may be of all tenants. */
export const RECORDS_LIMIT = 'records';
/** The part of all records of a kind that one tenant may have without that limit. */
export const SHARE_OF_RECORDS = 0.5;

const MAX_TITLE = 256;
export const MAX_ATTACHED = 100;
const MAX_LIMITS = 64;
const LARGEST_LIMIT = 1_000_000_000_000;

export const TENANT: RecordKind<TenantRecord> = {
  noun: 'tenant',
  folder: 'tenants',
  parts: [TENANT_NAME],
  maxBytes: MAX_RECORD_BYTES,
  most: 10_000,
  read: (reader) => ({
    title: reader.text('title', MAX_TITLE),
    isDisabled: reader.flag('disabled'),
    account: reader.nameOrNull('account', AWS_ACCOUNT),
    policies: reader.names('policies', ATTACHED_POLICY, MAX_ATTACHED),
    limits: reader.entries('limits', { rule: LIMIT_NAME, most: MAX_LIMITS }, (owner, name) =>
      owner.count(name, 0, LARGEST_LIMIT),
    ),
    createdAtMs: reader.timeMs('createdAtMs'),
  }),
  write: ({ isDisabled, limits, ...rest }) => ({ ...rest, disabled: isDisabled, limits: Object.fromEntries(limits) }),
  closed: () => ({ title: '', isDisabled: true, account: null, policies: [], limits: new Map(), createdAtMs: 0 }),
};
