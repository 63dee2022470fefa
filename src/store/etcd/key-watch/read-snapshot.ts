import type { IKeyValue, IRangeResponse } from 'etcd3';
import { ServiceError } from '../../../errors/service-error.js';
import type { StoredKey } from '../../cluster-keys.js';
import { CALL_MS, type EtcdCalls } from '../feed/restore-detector.js';
import { isProgressKey, rangeEnd } from '../keys.js';

/** All keys below a prefix as of one revision. */
export interface KeySnapshot {
  /** By the part of the key behind the root. */
  readonly keys: ReadonlyMap<string, StoredKey>;
  readonly revision: number;
  /** Id of the cluster, in decimals. */
  readonly cluster: string;
  /** The key that was put last; null: there is no key. */
  readonly newest: { readonly key: Buffer; readonly value: Buffer; readonly revision: number } | null;
}

/** Keys of the first page, and of the largest one. */
const PAGE = { first: 100, largest: 10_000 };
/** Bytes of one answer, about: etcd and the node do nothing else while they put it together and take it apart. */
const ANSWER_BYTES = 2 * 1024 * 1024;
/** How much smaller a page becomes after a failure, which may be due to its size. */
const SHRINK = 4;
const ATTEMPTS = 3;

/**
 * Reads the first page as of now, and the others at its revision.
 * @param root is cut off the keys
 * @throws ServiceError storageUnavailable, draining; the error of etcd when the revision was compacted meanwhile
 */
export async function readSnapshot(calls: EtcdCalls, root: string, prefix: string): Promise<KeySnapshot> {
  const range_end = rangeEnd(root + prefix);
  const keys = new Map<string, StoredKey>();
  let newest: IKeyValue | null = null;
  let limit = PAGE.first;
  let key = Buffer.from(root + prefix);
  for (let header: IRangeResponse['header'] | null = null; ;) {
    const at = header === null ? {} : { revision: header.revision };
    const page = await readPage(calls, { key, range_end, ...at }, limit);
    header ??= page.header;
    for (const one of page.kvs) {
      const name = one.key.toString();
      if (Number(one.mod_revision) > Number(newest?.mod_revision ?? 0)) newest = one;
      if (!isProgressKey(name)) keys.set(name.slice(root.length), storedKey(one));
    }
    const last = page.kvs.at(-1);
    if (!page.more || !last) {
      return { keys, revision: Number(header.revision), cluster: header.cluster_id, newest: copyOf(newest) };
    }
    limit = nextLimit(limit, page.kvs);
    key = Buffer.concat([last.key, Buffer.from([0])]);
  }
}

/** A key as the contract shows it. No errors. */
export function storedKey({ value, mod_revision: revision, lease }: IKeyValue): StoredKey {
  return { value: value.toString(), revision: Number(revision), lease: lease === '0' ? null : lease };
}

interface Range {
  readonly key: Buffer;
  readonly range_end: Buffer;
  readonly revision?: string;
}

async function readPage(calls: EtcdCalls, range: Range, most: number): Promise<IRangeResponse> {
  for (let attempt = 1, limit = most; ; attempt++, limit = Math.ceil(limit / SHRINK)) {
    try {
      const request = { ...range, limit: String(limit) };
      return await calls.read((client) => client.kv.range(request), performance.now() + CALL_MS);
    } catch (error) {
      const mayHelp = error instanceof ServiceError && error.code === 'storageUnavailable';
      if (!mayHelp || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Keys of the next page: as many as fill an answer, if they are of the size of these. */
function nextLimit(limit: number, kvs: readonly IKeyValue[]): number {
  const bytes = kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  const fitting = Math.floor((kvs.length * ANSWER_BYTES) / Math.max(1, bytes));
  return Math.max(1, Math.min(fitting, limit * SHRINK, PAGE.largest));
}

/** The buffers of an answer are views of the whole. */
function copyOf(kv: IKeyValue | null): KeySnapshot['newest'] {
  if (kv === null) return null;
  return { key: Buffer.from(kv.key), value: Buffer.from(kv.value), revision: Number(kv.mod_revision) };
}
