/**
 * CAS and XADD in one script, so that a change and its event are one durable step. The revision is the id of the event.
 * KEYS: shadow, stream, counter, names of the thing, things of the tenant.
 * ARGV: revision that the shadow must have (0: none), value, the shadow's id, whether it lives ('1', '0', or '' when
 * that does not change), its name ('' for the classic one), the thing, events to keep.
 * Returns the new revision, or {the present revision, the present value} to whoever lost.
 */
export const CHANGE_SCRIPT = `
local held = redis.call('HMGET', KEYS[1], 'r', 'v')
local revision = held[1] or '0'
if revision ~= ARGV[1] then return { revision, held[2] or '' } end
local next = redis.call('INCR', KEYS[3])
redis.call('HSET', KEYS[1], 'r', next, 'v', ARGV[2])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[7], next .. '-0', 'k', ARGV[3], 'p', revision, 'v', ARGV[2])
if ARGV[4] == '1' then
  redis.call('ZADD', KEYS[4], 0, ARGV[5])
  redis.call('ZADD', KEYS[5], 0, ARGV[6])
elseif ARGV[4] == '0' then
  redis.call('ZREM', KEYS[4], ARGV[5])
  if redis.call('ZCARD', KEYS[4]) == 0 then redis.call('ZREM', KEYS[5], ARGV[6]) end
end
return next
`;
