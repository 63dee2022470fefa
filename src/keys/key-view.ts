import type { AccessEntry } from '../directory/access-records.js';
import type { KeyRecord } from '../directory/records/key-record.js';
import type { Key } from './keys.openapi.js';

/** What is shown of a key: nothing that proves anything. */
export function keyView({ names, record }: AccessEntry<KeyRecord>): Key {
  const { principal, proof, title, isDisabled, createdAtMs, expiresAtMs } = record;
  return {
    id: names[0] ?? '',
    principal,
    kind: proof.kind,
    title,
    disabled: isDisabled,
    createdAt: new Date(createdAtMs).toISOString(),
    expiresAt: expiresAtMs === null ? null : new Date(expiresAtMs).toISOString(),
  };
}
