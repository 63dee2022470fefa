import type { AccessEntry } from '../directory/access-records.js';
import type { RevocationRecord } from '../directory/records/revocation-record.js';
import type { Revocation } from './revocations.openapi.js';

/** What is shown of a revocation. No errors. */
export function revocationView({ names, record }: AccessEntry<RevocationRecord>): Revocation {
  const { kind, reason, revokedAtMs, revokedBy } = record;
  return { kind, id: names.at(-1) ?? '', reason, revokedAt: new Date(revokedAtMs).toISOString(), revokedBy };
}
