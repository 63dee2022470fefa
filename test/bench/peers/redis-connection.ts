import { Redis } from 'ioredis';
import type { Position } from '../../../src/store/position.js';
import type { ShadowKey } from '../../../src/store/shadow-store.js';

/** The stream that holds the event of every change. */
export const STREAM = 'umbra:events';

/** Where Redis is: a port of this machine, or sentinels that know the present primary. */
export type RedisPlace = number | RedisSentinels;

export interface RedisSentinels {
  readonly sentinels: readonly { readonly host: string; readonly port: number }[];
  /** Name of the primary at the sentinels. */
  readonly name: string;
}

/** Milliseconds without an answer after which a connection to a primary that sentinels name is left, as of an etcd call. */
const SILENCE_MS = 1_000;
/** Longest pause between two attempts to connect, in milliseconds. */
const RETRY_MS = 200;

/**
 * A connection whose requests end with it. What was sent and not answered is not sent again: it may have been applied,
 * and another primary may answer next.
 * @param waitsMs milliseconds that a request may wait in Redis itself
 */
export function connectRedis(place: RedisPlace, waitsMs = 0): Redis {
  const shared = {
    // With any other number of tries, what was under way neither ends nor is sent again when the connection is lost.
    ...{ enableAutoPipelining: true, maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false },
    // Not a primary any more: connect again, and ask who is.
    reconnectOnError: (error: Error) => (error.message.startsWith('READONLY') ? (1 as const) : false),
  };
  const there = typeof place === 'number' ? { host: '127.0.0.1', port: place } : sentinelOptions(place, waitsMs);
  const redis = new Redis({ ...shared, ...there });
  redis.on('error', () => undefined);
  return redis;
}

function sentinelOptions({ sentinels, name }: RedisSentinels, waitsMs: number) {
  const retryStrategy = (attempt: number): number => Math.min(attempt * 20, RETRY_MS);
  return {
    ...{ sentinels: [...sentinels], name, retryStrategy, sentinelRetryStrategy: retryStrategy },
    ...{ connectTimeout: SILENCE_MS, sentinelCommandTimeout: SILENCE_MS, socketTimeout: SILENCE_MS + waitsMs },
  };
}

/** `{tenant}/{thing}/{name}`; the classic one ends with a slash. */
export const shadowId = ({ tenant, thing, name }: ShadowKey): string => `${tenant}/${thing}/${name ?? ''}`;

export const position = (revision: number, epoch = 0): Position => ({ cluster: 'redis', epoch, revision });

/**
 * Counts the histories: a replica that became the primary has another replication id, and may lack the end of the history
 * before it. Its own counter of revisions then says the same numbers of other changes.
 * KEYS: the epoch, the replication id of it. ARGV: the replication id of this server. Returns the epoch.
 */
const ENTER_SCRIPT = `
local known = redis.call('GET', KEYS[2])
if known == ARGV[1] then return tonumber(redis.call('GET', KEYS[1]) or '0') end
redis.call('SET', KEYS[2], ARGV[1])
if not known then
  redis.call('SET', KEYS[1], 0)
  return 0
end
return redis.call('INCR', KEYS[1])
`;

/** The epoch of the history on the server that the connection reaches now. @throws Error of the connection */
export async function enterEpoch(redis: Redis): Promise<number> {
  const replication = await redis.info('replication');
  const id = /master_replid:(\w+)/.exec(replication)?.[1] ?? '';
  return Number(await redis.eval(ENTER_SCRIPT, 2, 'umbra:epoch', 'umbra:replid', id));
}
