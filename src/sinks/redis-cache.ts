import { isTombstone } from '../document/shadow-document.js';
import { snapshotText } from '../document/message-texts.js';
import type { ShadowRecord } from '../store/shadow-store.js';
import { shadowId } from './event-id.js';
import type { RedisSettings } from './redis-settings.js';

/**
 * Writes a document only over an older one, so that a writer that comes late changes nothing: Redis runs a script whole.
 * A deleted shadow stays known for a time, and holds late writers off as a document does. Epochs come before revisions,
 * which begin again where a backup was restored. Revisions stay below 2^53, where the numbers of Lua are exact.
 */
export const WRITE_FORWARD = `
local known = redis.call('HMGET', KEYS[1], 'epoch', 'revision')
local epoch, revision = tonumber(ARGV[1]), tonumber(ARGV[2])
local before = tonumber(known[1] or -1)
if before > epoch or (before == epoch and tonumber(known[2] or -1) >= revision) then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'revision', ARGV[2], 'version', ARGV[3])
if ARGV[4] == '' then redis.call('HDEL', KEYS[1], 'document') else redis.call('HSET', KEYS[1], 'document', ARGV[4]) end
if ARGV[5] == '0' then redis.call('PERSIST', KEYS[1]) else redis.call('EXPIRE', KEYS[1], ARGV[5]) end
return 1
`;

type CacheSettings = Pick<RedisSettings, 'cacheSeconds' | 'tombstoneSeconds'>;

/** Key and arguments of the script for a change. No errors. */
export function cacheArguments(
  prefix: string,
  record: ShadowRecord,
  { cacheSeconds, tombstoneSeconds }: CacheSettings,
): readonly [key: string, ...args: string[]] {
  const { state, position } = record;
  const isGone = isTombstone(state);
  return [
    prefix + shadowId(record),
    String(position.epoch),
    String(position.revision),
    String(state.version),
    isGone ? '' : snapshotText(state),
    String(isGone ? tombstoneSeconds : cacheSeconds),
  ];
}
