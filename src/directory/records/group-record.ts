import { GROUP_ID, ATTACHED_POLICY, TENANT_NAME } from './record-names.js';
import { DENY_ALL } from './policy-record.js';
import { MAX_RECORD_BYTES, type RecordKind } from './record-kind.js';
import { MAX_ATTACHED } from './tenant-record.js';

/** A group of principals: `groups/{tenant}/{id}`. Its members name it in their records. */
export interface GroupRecord {
  /** For people. */
  readonly title: string;
  /** Policies that are attached to all of its members. */
  readonly policies: readonly string[];
  /** Epoch milliseconds. */
  readonly createdAtMs: number;
}

const MAX_TITLE = 256;

export const GROUP: RecordKind<GroupRecord> = {
  noun: 'group',
  folder: 'groups',
  parts: [TENANT_NAME, GROUP_ID],
  maxBytes: MAX_RECORD_BYTES,
  most: 100_000,
  read: (reader) => ({
    title: reader.text('title', MAX_TITLE),
    policies: reader.names('policies', ATTACHED_POLICY, MAX_ATTACHED),
    createdAtMs: reader.timeMs('createdAtMs'),
  }),
  write: (record) => record,
  // One of its policies may have denied something.
  closed: () => ({ title: '', policies: [DENY_ALL], createdAtMs: 0 }),
};
