import { isTombstone } from '../document/shadow-document.js';
import { ServiceError } from '../errors/service-error.js';
import type { LiveRecord } from '../shadow/get.js';
import type { RequestOptions, ShadowKey, ShadowStore } from '../store/shadow-store.js';

interface ReadOptions extends RequestOptions {
  /** Whether to omit a shadow whose stored value is no record. The store logs its key. */
  readonly omitUnreadable?: boolean;
}

/**
 * Reads the records of existing shadows, in the order of the keys; omits a shadow that was deleted meanwhile. The store
 * batches the reads.
 * @throws ServiceError what the store throws
 */
export async function readShadows(
  store: ShadowStore,
  keys: readonly ShadowKey[],
  { omitUnreadable = false, ...options }: ReadOptions,
): Promise<LiveRecord[]> {
  const unreadable = (error: unknown): null => {
    if (omitUnreadable && error instanceof ServiceError && error.code === 'internal') return null;
    throw error;
  };
  const records = await Promise.all(keys.map((key) => store.get(key, options).catch(unreadable)));
  return records.flatMap((record) =>
    record === null || isTombstone(record.state) ? [] : [{ ...record, state: record.state }],
  );
}
