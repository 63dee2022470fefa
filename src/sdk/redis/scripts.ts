/**
 * Scripts, since Redis runs each of them whole: no consumer comes between what they look at and what they write. Keys
 * are the stream, then as told. They are put together when they are asked for: an import does nothing.
 */

const FACTS = `
local function facts(list)
  local known = {}
  for i = 1, #list, 2 do known[list[i]] = list[i + 1] end
  return known
end
local function group()
  if redis.call('EXISTS', KEYS[1]) == 0 then return nil end
  for _, list in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local found = facts(list)
    if found['name'] == ARGV[1] then return found end
  end
end
local function stream()
  local found = facts(redis.call('XINFO', 'STREAM', KEYS[1]))
  if not found['entries-added'] then error({err = 'VERSION consumers need Redis 7 or later'}) end
  return found
end
`;

/**
 * Makes the group. Key: position. Arguments: group; '0' or '$'; '1' if its loss was told.
 * Answers 'there', 'made', or 'gone' if it was there once.
 */
export const MAKE_GROUP = (): string => `${FACTS}
if group() and stream() then return 'there' end
if redis.call('EXISTS', KEYS[2]) == 1 and ARGV[3] ~= '1' then return 'gone' end
redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], ARGV[2], 'MKSTREAM')
local found = stream()
local first = ARGV[2] == '0'
local index = first and found['entries-added'] - found['length'] or found['entries-added']
redis.call('HSET', KEYS[2], 'id', first and '0-0' or found['last-generated-id'], 'index', index)
return 'made'
`;

/**
 * Reads what nobody in the group has. Key: position, that is the last id that was read and how many entries the stream
 * had got by then. The position tells how many were trimmed in between, which Redis 7 itself does not: it counts on from
 * the next entry that is there. Arguments: group, consumer, count, the loss that was told or ''.
 * Answers 'gone', or 'trimmed' with the loss, and reads nothing; or 'read', the loss since it was told, the last id and
 * the entries.
 */
export const TAKE = (): string => `${FACTS}
local read = group()
if not read then return {'gone'} end
local found = stream()
local added = found['entries-added']
local known = redis.call('HMGET', KEYS[2], 'id', 'index')
local index = added
if known[1] == read['last-delivered-id'] then index = tonumber(known[2])
elseif read['lag'] then index = added - read['lag'] end
local lost = math.max(0, added - found['length'] - index)
if lost > 0 and ARGV[4] == '' then return {'trimmed', lost} end
local answer = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', ARGV[3], 'STREAMS', KEYS[1], '>')
local entries = answer and answer[1][2] or {}
local last = #entries > 0 and entries[#entries][1] or read['last-delivered-id']
if #entries > 0 or lost > 0 or known[1] ~= last then
  index = #entries < tonumber(ARGV[3]) and added or index + lost + #entries
  redis.call('HSET', KEYS[2], 'id', last, 'index', index)
end
return {'read', lost - (tonumber(ARGV[4]) or 0), last, entries}
`;

/**
 * Takes over what was delivered and not acknowledged. Arguments: group, consumer, milliseconds that it must be idle,
 * count, the id to begin with, and whose it must be or ''. Not XAUTOCLAIM: that forgets what was trimmed before anybody
 * was told. Answers the entries as {id, fields, deliveries}, what was trimmed, and the last id that was looked at or ''
 * after the end.
 */
export const CLAIM = (): string => `
local range = {'XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[3], ARGV[5], '+', ARGV[4]}
if ARGV[6] ~= '' then range[9] = ARGV[6] end
local entries, gone = {}, {}
local rows = redis.call(unpack(range))
for _, row in ipairs(rows) do
  local found = redis.call('XRANGE', KEYS[1], row[1], row[1])
  if #found == 0 then gone[#gone + 1] = row[1]
  else
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, row[1], 'JUSTID')
    entries[#entries + 1] = {row[1], found[1][2], row[4]}
  end
end
return {entries, gone, #rows == tonumber(ARGV[4]) and rows[#rows][1] or ''}
`;

/** Whether an entry is this consumer's, as the row of XPENDING; group and consumer are the first arguments. */
const OURS = `
local function ours(id)
  local rows = redis.pcall('XPENDING', KEYS[1], ARGV[1], id, id, 1)
  -- Nothing is anybody's in a group that was deleted.
  if rows['err'] and string.find(rows['err'], 'NOGROUP', 1, true) then return nil end
  if rows['err'] then error(rows) end
  local row = rows[1]
  if row and row[2] == ARGV[2] then return row end
end
local function touch(id, ...)
  -- Redis would forget that a trimmed entry was delivered.
  if #redis.call('XRANGE', KEYS[1], id, id) == 0 then return false end
  redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, ...)
  return true
end
`;

/**
 * Before work. Key: mark of the shadow. Arguments: group, consumer, id, '1' to count a try.
 * Answers the tries, 0 if another consumer has it; and the mark or ''.
 */
export const BEGIN = (): string => `${OURS}
local row = ours(ARGV[3])
if not row then return {0, ''} end
local tries = row[4]
if ARGV[4] ~= '1' then touch(ARGV[3], 'JUSTID')
elseif touch(ARGV[3]) then tries = tries + 1 end
return {tries, redis.call('GET', KEYS[2]) or ''}
`;

/** Writes the mark over an older one. */
const MARK = `
local function mark(id, epoch, revision, seconds)
  if epoch == '' then return end
  local e, r = string.match(redis.call('GET', KEYS[2]) or '', '^(%d+):(%d+):')
  e, r = tonumber(e or -1), tonumber(r or -1)
  if e < tonumber(epoch) or (e == tonumber(epoch) and r < tonumber(revision)) then
    redis.call('SET', KEYS[2], epoch .. ':' .. revision .. ':' .. id, 'EX', seconds)
  else redis.call('EXPIRE', KEYS[2], seconds) end
end
`;

/** After work. Key: mark. Arguments: group, consumer, id, epoch, revision, seconds that the mark stays. */
export const FINISH = (): string => `${MARK}
redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
mark(ARGV[3], ARGV[4], ARGV[5], ARGV[6])
return 1
`;

/**
 * Puts an entry aside. Keys: mark, stream of dead letters. Arguments: as FINISH, where the epoch '' leaves the mark,
 * then the length of that stream, then fields. Answers 0 if another consumer has the entry.
 */
export const BURY = (): string => `${OURS}${MARK}
if not ours(ARGV[3]) then return 0 end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[7], '*', unpack(ARGV, 8))
redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
mark(ARGV[3], ARGV[4], ARGV[5], ARGV[6])
return 1
`;

/**
 * Makes entries look as if they were delivered so long ago. Arguments: group, consumer, milliseconds, ids. Answers those
 * that are not this consumer's any more.
 */
export const KEEP = (): string => `${OURS}
local lost = {}
for i = 4, #ARGV do
  if ours(ARGV[i]) then touch(ARGV[i], 'IDLE', ARGV[3], 'JUSTID') else lost[#lost + 1] = ARGV[i] end
end
return lost
`;

/** Removes a consumer that has nothing. Arguments: group, consumer. */
export const LEAVE = (): string => `
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) > 0 then return 0 end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return 1
`;
