import { FINGERPRINT, ATTACHED_POLICY, TENANT_NAME } from './record-names.js';
import { MAX_RECORD_BYTES, type RecordKind } from './record-kind.js';
import { MAX_ATTACHED } from './tenant-record.js';

export const NAME_SOURCES = ['commonName', 'dnsName', 'uri'] as const;
/** Where the certificates of an authority have the name of their thing. */
export type NameSource = (typeof NAME_SOURCES)[number];

/** A certificate authority whose devices a tenant trusts: `authorities/{tenant}/{SHA-256 of its certificate}`. */
export interface AuthorityRecord {
  readonly tenant: string;
  /** One certificate in PEM. */
  readonly pem: string;
  /** Where the certificates that it issues have the name of their thing. */
  readonly nameFrom: NameSource;
  readonly isDisabled: boolean;
  /** Whether a device that nobody has registered becomes one when it first connects. */
  readonly registersAtFirstSight: boolean;
  /** Policies of the principals that are registered so. */
  readonly policies: readonly string[];
  /** Epoch milliseconds. */
  readonly registeredAtMs: number;
}

const MAX_PEM = 32 * 1024;

export const AUTHORITY: RecordKind<AuthorityRecord> = {
  noun: 'authority',
  folder: 'authorities',
  parts: [TENANT_NAME, FINGERPRINT],
  maxBytes: MAX_RECORD_BYTES,
  most: 10_000,
  read: (reader, [tenant = '']) => ({
    tenant,
    pem: reader.text('pem', MAX_PEM),
    nameFrom: reader.choice('nameFrom', NAME_SOURCES),
    isDisabled: reader.flag('disabled'),
    registersAtFirstSight: reader.flag('registersAtFirstSight'),
    policies: reader.names('policies', ATTACHED_POLICY, MAX_ATTACHED),
    registeredAtMs: reader.timeMs('registeredAtMs'),
  }),
  write: ({ tenant: _tenant, isDisabled, ...rest }) => ({ ...rest, disabled: isDisabled }),
  closed: ([tenant = '']) => ({
    tenant,
    pem: '',
    nameFrom: 'commonName',
    isDisabled: true,
    registersAtFirstSight: false,
    policies: [],
    registeredAtMs: 0,
  }),
};
