import { isTombstone } from '../document/shadow-document.js';
import type { LiveRecord } from '../shadow/get.js';
import type { RequestOptions, ShadowKey, ShadowStore } from '../store/shadow-store.js';

/**
 * Reads the records of existing shadows, in the order of the keys; omits a shadow that was deleted meanwhile. The store
 * batches the reads.
 * @throws ServiceError what the store throws
 */
export async function readShadows(
  store: ShadowStore,
  keys: readonly ShadowKey[],
  options: RequestOptions,
): Promise<LiveRecord[]> {
  const records = await Promise.all(keys.map((key) => store.get(key, options)));
  return records.flatMap((record) =>
    record === null || isTombstone(record.state) ? [] : [{ ...record, state: record.state }],
  );
}
