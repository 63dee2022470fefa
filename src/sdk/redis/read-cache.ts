import { platformOf, type Clock, type Platform } from '../platform.js';
import { stateOf, type DocumentBody } from '../shadow/read-state.js';
import type { AnyState, ShadowState } from '../shadow/state.js';
import { clientError, UmbraError } from '../umbra-error.js';
import { within } from '../within.js';
import { differences } from './differences.js';
import { KnownVersions } from './known-versions.js';
import { failure, type RedisClient } from './redis-client.js';

/**
 * Why the node was asked. `absent`: Redis has nothing of the shadow. `older`: it has not come to `minRevision`, or to
 * what the node has shown before. `unconfirmed`: nobody has asked the node for `maxAgeMs`. `unreachable`: Redis fails or
 * is slow. `unreadable`: what it has is no document.
 */
export type FallbackReason = 'absent' | 'older' | 'unconfirmed' | 'unreachable' | 'unreadable';

export interface CacheReadOptions {
  /** The document is as new as this revision of its shadow, such as that of your own write. */
  readonly minRevision?: number | undefined;
  /** The document was the present one at most so many milliseconds ago. Without it, it lags as the sink does. */
  readonly maxAgeMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Reads from the service, such as `(thing, shadow, options) => umbra.thing(thing).shadow(shadow).get(options)`. */
export type Fallback<T> = (
  thing: string,
  shadow: string | undefined,
  options: { readonly minRevision?: number | undefined; readonly signal?: AbortSignal | undefined },
) => Promise<ShadowState<T> | null>;

export interface ReadCacheOptions<T = AnyState> extends Partial<Pick<Platform, 'clock'>> {
  /** A client of ioredis, or what looks like it. It is used as it is, and not closed. */
  readonly redis: Pick<RedisClient, 'call'>;
  /** `cachePrefix` of the sink. */
  readonly prefix: string;
  /** `default` by default. */
  readonly tenant?: string | undefined;
  readonly fallback: Fallback<T>;
  /** Milliseconds that an answer of Redis may take. 500 by default. */
  readonly answerMs?: number | undefined;
  /** Milliseconds after a failure of Redis in which only the node is asked. 1,000 by default. */
  readonly pauseMs?: number | undefined;
  /** Shadows of which it remembers what the node has shown. 10,000 by default; the oldest are forgotten. */
  readonly maxKnown?: number | undefined;
  onFallback?(reason: FallbackReason, thing: string, shadow: string | null): void;
}

export interface ReadCache<T = AnyState> {
  /**
   * The state of a shadow; null: there is none. `shadow` is null or left out for the classic one.
   * @throws UmbraError aborted; what the fallback throws
   */
  get(thing: string, shadow?: string | null, options?: CacheReadOptions): Promise<ShadowState<T> | null>;
}

type Found<T> =
  | { readonly state: ShadowState<T> | null; readonly revision: number; readonly version: number }
  | { readonly reason: FallbackReason };

/** The read cache of a Redis sink, and the service where that cannot answer. @throws UmbraError invalid-argument */
export function readCache<T = AnyState>(options: ReadCacheOptions<T>): ReadCache<T> {
  for (const name of ['answerMs', 'pauseMs', 'maxKnown'] as const) {
    const value = options[name] ?? 1;
    if (!Number.isInteger(value) || value < 1)
      throw clientError('invalid-argument', `${name} has to be a positive integer`);
  }
  if (typeof options.fallback !== 'function')
    throw clientError('invalid-argument', 'fallback has to be a function that reads from the service');
  return new RedisReadCache(options);
}

class RedisReadCache<T> implements ReadCache<T> {
  readonly #clock: Clock;
  readonly #known: KnownVersions;
  /** Milliseconds of the monotonic clock before which Redis is not asked. */
  #pausedUntil = -Infinity;

  constructor(private readonly options: ReadCacheOptions<T>) {
    this.#clock = platformOf(options).clock;
    this.#known = new KnownVersions(options.maxKnown ?? 10_000);
  }

  async get(
    thing: string,
    shadow: string | null = null,
    options: CacheReadOptions = {},
  ): Promise<ShadowState<T> | null> {
    const key = `${thing}/${shadow ?? ''}`;
    const found = await this.#near(key, thing, shadow, options.signal);
    const reason = 'reason' in found ? found.reason : this.#lack(key, found, options);
    if (reason === null) return (found as { state: ShadowState<T> | null }).state;
    this.options.onFallback?.(reason, thing, shadow);
    const { minRevision, signal } = options;
    // What it answers is at least as new as the moment of the question.
    const at = this.#clock.monotonic();
    const state = await this.options.fallback(thing, shadow ?? undefined, { minRevision, signal });
    this.#known.set(key, state?.version ?? null, at);
    return state;
  }

  /** Why what Redis has does not do; null: it does. */
  #lack(
    key: string,
    { state, revision, version }: Exclude<Found<T>, { reason: FallbackReason }>,
    { minRevision = 0, maxAgeMs = Infinity }: CacheReadOptions,
  ): FallbackReason | null {
    if (revision < minRevision) return 'older';
    const known = this.#known.get(key);
    // After a deletion, a document may be the deleted one.
    if (known && (known.version === null ? state !== null : version < known.version)) return 'older';
    const age = known ? this.#clock.monotonic() - known.at : Infinity;
    return maxAgeMs < Infinity && age > maxAgeMs ? 'unconfirmed' : null;
  }

  async #near(key: string, thing: string, shadow: string | null, signal?: AbortSignal): Promise<Found<T>> {
    const { redis, prefix, tenant = 'default', answerMs: ms = 500, pauseMs = 1_000 } = this.options;
    if (this.#clock.monotonic() < this.#pausedUntil) return { reason: 'unreachable' };
    const args = [`${prefix}${tenant}/${key}`, 'revision', 'version', 'document'];
    let answer: unknown;
    try {
      const limit = { clock: this.#clock, ms, signals: [signal], what: 'the read cache' };
      answer = await within(limit, async () => redis.call('HMGET', args));
    } catch (error) {
      if (signal?.aborted) throw error instanceof UmbraError ? error : failure('HMGET', error);
      this.#pausedUntil = this.#clock.monotonic() + pauseMs;
      return { reason: 'unreachable' };
    }
    const [revision, version, document] = answer as [string | null, string | null, string | null];
    if (revision === null) return { reason: 'absent' };
    const numbers = { revision: Number(revision), version: Number(version) };
    if (document === null) return { state: null, ...numbers };
    const state = read<T>(document, { thing, shadow }, numbers.revision);
    return state === null ? { reason: 'unreadable' } : { state, ...numbers };
  }
}

/** null: it is no document. */
function read<T>(
  text: string,
  name: { readonly thing: string; readonly shadow: string | null },
  revision: number,
): ShadowState<T> | null {
  try {
    const body = JSON.parse(text) as DocumentBody;
    const { desired = {}, reported = {} } = body.state;
    const delta = differences(desired, reported);
    return stateOf<T>({ ...body, state: { ...body.state, ...(delta !== null && { delta }) } }, name, revision);
  } catch {
    return null;
  }
}
