import type { AccessEntry } from '../directory/access-records.js';
import type { GroupRecord } from '../directory/records/group-record.js';
import type { Group } from './groups.openapi.js';

export function groupView({ names, record }: AccessEntry<GroupRecord>): Group {
  const { title, policies, createdAtMs } = record;
  return {
    group: names.at(-1) ?? '',
    title,
    policies: [...policies],
    createdAt: new Date(createdAtMs).toISOString(),
  };
}
