import { decodeWatchResponse } from '../../src/store/etcd/feed/watch-response.js';
import type { WatchEvent } from '../../src/store/etcd/feed/watch-event.js';
import { encodeMessage } from './etcd-messages.js';

/** What an event of a watch tells. */
export interface EventContent {
  readonly key: string;
  readonly revision: number;
  readonly value?: Buffer | string;
  readonly isDelete?: boolean;
}

/** Events as one response of etcd brings them, all in one buffer. */
export function watchEvents(contents: readonly EventContent[]): WatchEvent[] {
  const events = contents.map(({ key, revision, value = '', isDelete = false }) => ({
    type: isDelete ? 'Delete' : 'Put',
    kv: { key: Buffer.from(key), value: Buffer.from(value), mod_revision: String(revision) },
  }));
  return [...decodeWatchResponse(encodeMessage('WatchResponse', { events })).events];
}
