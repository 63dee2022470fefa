export { consume, type ConsumeReport } from './consume.js';
export type { Entry, PresenceEntry, ShadowEntry } from './entry.js';
export type { ConsumeEvents, ConsumeOptions, Delivery, Trimmed } from './options.js';
export type { RedisClient } from './redis-client.js';
export {
  readCache,
  type CacheReadOptions,
  type Fallback,
  type FallbackReason,
  type ReadCache,
  type ReadCacheOptions,
} from './read-cache.js';
