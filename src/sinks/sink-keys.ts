import type { ClusterKeys } from '../store/cluster-keys.js';
import type { Position } from '../store/position.js';
import { SinkCursors } from './sink-cursors.js';
import { shardsOf } from './sink-host.js';

/** Path of the keys by which nodes divide the sinks among themselves. */
export const SINKS_PATH = 'sinks/';
/** Keys that are deleted in one commit; etcd takes 128 operations. */
const CHUNK = 100;

/** Beginning of the names of the shards of a sink. No errors. */
export const shardPrefix = (id: string): string => `${id}.`;

/** Keys of one sink alone, below SINKS_PATH. No errors. */
export const ownKeys = (keys: ClusterKeys, id: string): ClusterKeys => keys.under(`of/${id}/`);

/**
 * Puts the cursors of a new sink: every change that is committed after `from` is sent.
 * @throws ServiceError storageUnavailable, storageFull, draining
 */
export async function beginCursors(keys: ClusterKeys, id: string, from: Position): Promise<void> {
  await new SinkCursors(keys, id, () => null).begin(shardsOf(shardPrefix(id)), from);
}

/**
 * Deletes what is kept of a sink that is gone.
 * @throws ServiceError storageUnavailable, draining
 */
export async function forgetSink(keys: ClusterKeys, id: string): Promise<void> {
  for (const path of [`cursors/${id}/`, `of/${id}/`, `status/${id}/`]) {
    const found = [...(await keys.list(path)).keys()];
    for (let at = 0; at < found.length; at += CHUNK)
      await keys.commit({ guards: [], deletes: found.slice(at, at + CHUNK) });
  }
}
