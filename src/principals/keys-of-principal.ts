import type { AccessDirectory } from '../directory/access-directory.js';
import type { AccessWriter, RecordChange } from '../directory/access-writer.js';

/** Keys that go in one commit. */
const AT_ONCE = 40;

/**
 * Deletes keys of a principal until there are few enough left for one more commit. Nobody may have them when another
 * principal of that name comes.
 * @returns the deletions of those that are left
 * @throws ServiceError preconditionFailed, storageUnavailable, draining
 */
export async function deleteKeys(
  directory: AccessDirectory,
  writer: AccessWriter,
  names: readonly [string, string],
): Promise<readonly RecordChange[]> {
  for (;;) {
    const keys = [...directory.keysOf(...names)].flatMap((id): RecordChange[] => {
      const key = directory.get('key', id);
      return key === null ? [] : [{ kind: 'key', names: [id], record: null, expected: key.revision }];
    });
    if (keys.length <= AT_ONCE) return keys;
    await writer.commit(keys.slice(0, AT_ONCE));
  }
}
