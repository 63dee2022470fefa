import { ServiceError } from '../errors/service-error.js';
import type { ClusterKeys } from '../store/cluster-keys.js';
import { PRESENCE_PATH, readRecord, RECORDS, type Stored } from '../store/presence-record.js';
import type { Fence } from '../store/shadow-store.js';
import type { ClientConnection, LocalSession } from './local-session.js';
import type { LocalSessions } from './local-sessions.js';

/** Records of the session itself that may come in the way of one of its writes: its begin, its end, and others' marks. */
const MAX_ATTEMPTS = 5;

/**
 * What a write depends on that came over the connection: that the record of its client is as this node knows it. When it
 * has changed, etcd tells whether by a newer session.
 * @param keys of presence
 * @returns null: the client is not recorded; an error: it has a newer session
 */
export function sessionFence(
  connection: ClientConnection,
  sessions: Pick<LocalSessions, 'newestOf' | 'storedOf'>,
  keys: Pick<ClusterKeys, 'get'>,
): Fence | ServiceError | null {
  const session = sessions.newestOf(connection);
  if (session === undefined || session.connection === null) return null;
  const stored = sessions.storedOf(session);
  if (session.connection !== connection || isFollowed(session, stored)) return followed();
  const again = async (attempt: number): Promise<number> => {
    if (attempt > MAX_ATTEMPTS) throw new ServiceError('storageUnavailable');
    // One that was never recorded leaves nothing to compare with.
    if ((sessions.newestOf(connection) ?? session) !== session) throw followed();
    const found = await keys.get(RECORDS + session.key);
    if (found === null) return 0;
    const { value, revision } = found;
    if (isFollowed(session, { record: readRecord(value), revision })) throw followed();
    return revision;
  };
  return { claim: PRESENCE_PATH + RECORDS + session.key, revision: stored?.revision ?? 0, again };
}

/**
 * Whether the record is of a newer session. One that is not recorded yet will be recorded over it, as nextRecord has it.
 * Pure.
 */
export function isFollowed(
  { id, isRecorded, end }: Pick<LocalSession, 'id' | 'isRecorded' | 'end'>,
  stored: Stored | null,
): boolean {
  const record = stored?.record ?? null;
  if (record === null || record.session === id) return false;
  return isRecorded || (end !== null && record.connected);
}

const followed = (): ServiceError => new ServiceError('sessionFollowed');
