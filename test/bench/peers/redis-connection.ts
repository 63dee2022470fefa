import { Redis } from 'ioredis';
import type { Position } from '../../../src/store/position.js';

/** The stream that holds the event of every change. */
export const STREAM = 'umbra:events';

/** A connection that gives up a request after a few tries. */
export function connectRedis(port: number): Redis {
  const redis = new Redis({ host: '127.0.0.1', port, enableAutoPipelining: true, maxRetriesPerRequest: 3 });
  redis.on('error', () => undefined);
  return redis;
}

export const position = (revision: number): Position => ({ cluster: 'redis', epoch: 0, revision });
