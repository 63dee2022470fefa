import { ServiceError } from '../../errors/service-error.js';
import { POLICY_NAME, PRINCIPAL_ID, TENANT_NAME } from './record-names.js';
import type { RecordKind } from './record-kind.js';
import { RecordFault } from './record-reader.js';

export interface PolicyVersion {
  readonly version: number;
  /** A policy document, as it was sent. */
  readonly document: string;
  /** Epoch milliseconds. */
  readonly createdAtMs: number;
  /** Principal that has sent it. */
  readonly createdBy: string;
}

/** A policy with its last versions: `policies/{tenant}/{name}`. */
export interface PolicyRecord {
  /** At least one, the newest last. */
  readonly versions: readonly PolicyVersion[];
  /** The version that counts. */
  readonly current: number;
}

/** As AWS IoT keeps. */
export const MAX_POLICY_VERSIONS = 5;
export const MAX_DOCUMENT_BYTES = 16 * 1024;

/** The name of the policy that denies everything, which nobody can create or read: a tilde is in no name. */
export const DENY_ALL = '~deny-all';
const DENY_ALL_DOCUMENT = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Deny', Action: '*', Resource: '*' }],
});

export const POLICY: RecordKind<PolicyRecord> = {
  noun: 'policy',
  folder: 'policies',
  parts: [TENANT_NAME, POLICY_NAME],
  // JSON within JSON at most doubles: quotes, backslashes and line ends each take one character more.
  maxBytes: MAX_POLICY_VERSIONS * (2 * MAX_DOCUMENT_BYTES + 1024),
  most: 100_000,
  read: (reader) => {
    const versions = reader.items('versions', MAX_POLICY_VERSIONS, (item) => ({
      version: item.count('version', 1, Number.MAX_SAFE_INTEGER),
      document: item.text('document', MAX_DOCUMENT_BYTES),
      createdAtMs: item.timeMs('createdAtMs'),
      createdBy: item.name('createdBy', PRINCIPAL_ID),
    }));
    const current = reader.count('current', 1, Number.MAX_SAFE_INTEGER);
    checkVersions(versions, current, reader.place);
    return { versions, current };
  },
  write: (record) => record,
  closed: () => ({
    versions: [{ version: 1, document: DENY_ALL_DOCUMENT, createdAtMs: 0, createdBy: 'nobody' }],
    current: 1,
  }),
};

/** The document that counts. No errors. */
export function currentDocument({ versions, current }: PolicyRecord): string {
  return versions.find(({ version }) => version === current)?.document ?? DENY_ALL_DOCUMENT;
}

/**
 * A policy with one more version, which counts from now on. The oldest one goes when there would be more than five.
 * @param record null: the policy is new
 * @throws ServiceError invalidRequest for a document of more than 16 KiB
 */
export function withVersion(record: PolicyRecord | null, added: Omit<PolicyVersion, 'version'>): PolicyRecord {
  if (Buffer.byteLength(added.document) > MAX_DOCUMENT_BYTES) {
    throw new ServiceError('invalidRequest', `A policy document may have ${MAX_DOCUMENT_BYTES} bytes at most`);
  }
  const kept = record?.versions ?? [];
  const version = (kept.at(-1)?.version ?? 0) + 1;
  return { versions: [...kept, { version, ...added }].slice(-MAX_POLICY_VERSIONS), current: version };
}

/**
 * A policy of which an earlier (or later) version counts.
 * @throws ServiceError invalidRequest when that version is not kept
 */
export function withCurrent(record: PolicyRecord, version: number): PolicyRecord {
  const kept = record.versions.map((each) => each.version);
  if (kept.includes(version)) return { ...record, current: version };
  throw new ServiceError('invalidRequest', `The policy has no version ${version}; it has ${kept.join(', ')}`);
}

function checkVersions(versions: readonly PolicyVersion[], current: number, place: string): void {
  const isRising = versions.every(({ version }, i) => i === 0 || version > versions[i - 1]!.version);
  if (!isRising) throw new RecordFault(`${place}.versions must be in the order of their numbers`);
  if (!versions.some(({ version }) => version === current))
    throw new RecordFault(`${place}.current must be a kept version`);
}
