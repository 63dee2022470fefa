export { Umbra, type UmbraOptions } from './umbra.js';
export { UmbraError, type ClientCode, type Outcome } from './umbra-error.js';
export type { Auth } from './auth/auth.js';
export { anonymous, bearer } from './auth/bearer.js';
export { clientSecret } from './auth/sources/lazy-client-secret.js';
export type { ClientSecretOptions } from './auth/sources/client-secret.js';
export type { Secret } from './auth/sources/secret.js';
export type { Answer, Call, Link, Next } from './call/call.js';
export type { BuiltInLink, Place } from './call/chain.js';
export type { CallOptions, Query, QueryValue, Request } from './call/request.js';
export type { RetryOptions } from './call/retry.js';
export { log } from './call/log.js';
export { renewal } from './call/renewal.js';
export { retry } from './call/retry.js';
export type { Clock, Fetch, Logger, Platform, Store } from './platform.js';
export { ShadowCache, type CacheEvents, type CacheHealth, type CacheOptions, type Resync } from './cache/cache.js';
export type { Index } from './cache/entries.js';
export { Shadow, type GetOptions, type SectionOf, type UpdateOptions, type WriteOptions } from './shadow/shadow.js';
export type { AnyState, DeepPartial, DesiredOf, Patch, ReportedOf, ShadowState, Written } from './shadow/state.js';
export { Thing, type ShadowSummary, type ThingSummary } from './thing.js';
export type {
  Condition,
  Operation,
  OperationResult,
  TransactionOptions,
  TransactionResult,
} from './transactions/transaction.js';
export type { Change, ChangedDocument, ChangeData } from './watch/change.js';
export type { ReloadReason, StreamOptions } from './watch/change-stream.js';
export { fileCursor, storeCursor, type Cursor } from './watch/cursor.js';
export type { ShadowFilter, WatchFilter } from './watch/filter.js';
export type { WatchOptions } from './watch/watch.js';
