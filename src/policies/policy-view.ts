import type { AccessEntry } from '../directory/access-records.js';
import { currentDocument, type PolicyRecord } from '../directory/records/policy-record.js';
import type { RoleName } from '../access/roles.js';
import { parsePolicyDocument } from './policy-document.js';
import { ROLE_PREFIX, roleText } from './roles.js';
import type { Policy } from './policies.openapi.js';

export function policyView({ names, record }: AccessEntry<PolicyRecord>): Policy {
  const versions = record.versions.map(({ version, createdAtMs, createdBy }) => ({
    version,
    createdAt: new Date(createdAtMs).toISOString(),
    createdBy,
  }));
  const document = JSON.parse(currentDocument(record)) as Policy['document'];
  const notes = notesOf(record);
  return { policy: names.at(-1) ?? '', document, notes, version: record.current, versions, builtIn: false };
}

/** A built-in role, which nobody can change. */
export function roleView(role: RoleName): Policy {
  const document = JSON.parse(roleText(role)) as Policy['document'];
  return { policy: ROLE_PREFIX + role, document, notes: [], version: 1, versions: [], builtIn: true };
}

/** What of a document has no effect here: actions of other services, and misspelt ones. */
function notesOf(record: PolicyRecord): string[] {
  try {
    return [...parsePolicyDocument(currentDocument(record)).notes];
  } catch {
    return ['this version of the service cannot read it, so it denies everything'];
  }
}
