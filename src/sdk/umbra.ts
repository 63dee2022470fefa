import type { Auth } from './auth/auth.js';
import { anonymous } from './auth/bearer.js';
import { Caller } from './call/caller.js';
import { Chain, type Place } from './call/chain.js';
import type { Answer, Link } from './call/call.js';
import { log } from './call/log.js';
import { renewal } from './call/renewal.js';
import { addressOf, type CallOptions, type Request } from './call/request.js';
import { retry, type RetryOptions } from './call/retry.js';
import { sender } from './call/send.js';
import { ShadowCache, type CacheOptions } from './cache/cache.js';
import { platformOf, type Platform } from './platform.js';
import type { AnyState } from './shadow/state.js';
import { pages, Thing, type ThingSummary } from './thing.js';
import { commit, type Operation, type TransactionOptions, type TransactionResult } from './transactions/transaction.js';
import { clientError } from './umbra-error.js';
import type { Change } from './watch/change.js';
import { sourceOf, type ShadowFilter, type WatchFilter } from './watch/filter.js';
import { watched, type WatchOptions } from './watch/watch.js';

export interface UmbraOptions extends Partial<Platform> {
  /** Address of the service: `https://umbra.example`. It may have a path, and no query. */
  readonly url: string;
  /** Where the credential comes from; nothing, for nodes without authentication. */
  readonly auth?: Auth;
  /** Milliseconds for a call with all its attempts, unless it says otherwise. 30,000 by default. */
  readonly timeoutMs?: number;
  /**
   * Milliseconds in which the head of an answer has to come, and then each piece of its body. 10,000 by default; nodes
   * answer within `UMBRA_REQUEST_TIMEOUT_MS`, 5,000. A request whose body is a stream is bounded by its call alone.
   */
  readonly attemptTimeoutMs?: number;
  readonly retry?: RetryOptions;
  /**
   * Whether writes carry an Idempotency-Key, so that one whose outcome is unknown is sent again. By default they do, and
   * ask the service to keep their answers for some minutes. A tenant that writes more than 200 times a second turns it off.
   */
  readonly idempotencyKeys?: boolean;
}

/** A client of one service. It opens nothing until it is called. */
export class Umbra {
  readonly #chain: Chain;
  readonly #caller: Caller;

  /** @throws UmbraError invalid-argument for an address that is none */
  constructor(options: UmbraOptions) {
    const { auth = anonymous, timeoutMs = 30_000, attemptTimeoutMs = 10_000, idempotencyKeys = true } = options;
    const platform = platformOf({ ...(auth.fetch && { fetch: auth.fetch }), ...options });
    const links = [
      { name: 'log', link: log(platform) },
      { name: 'retry', link: retry(platform, options.retry) },
      { name: 'renewal', link: renewal(auth) },
    ];
    const { fetch, clock } = platform;
    const url = addressOf(options.url);
    auth.attach?.(url, platform);
    this.#chain = new Chain(links, sender({ url, fetch, clock, attemptTimeoutMs }));
    this.#caller = new Caller({ platform, chain: this.#chain, auth, timeoutMs, hasKeys: idempotencyKeys });
  }

  /**
   * Adds a link to the chain of all calls that begin from now on. Without a place it comes last.
   * @throws UmbraError invalid-argument for a place that does not exist
   */
  use(link: Link, place?: Place): this {
    this.#chain.use(link, place);
    return this;
  }

  /**
   * Calls any route of the service, for what has no method of its own.
   * @throws UmbraError
   */
  call(request: Request): Promise<Answer> {
    return this.#caller.call(request);
  }

  /** No errors: the service judges the name when it is called. */
  thing(name: string): Thing {
    return new Thing(this.#caller, name);
  }

  /**
   * All things with a shadow, by name.
   * @throws UmbraError
   */
  async *things(options: CallOptions = {}): AsyncGenerator<ThingSummary, void, undefined> {
    const request = { name: 'things', path: '/v1/things', query: { limit: 100 }, ...options };
    for await (const page of pages(this.#caller, request)) yield* page['things'] as ThingSummary[];
  }

  /**
   * Changes several shadows as one, or none of them.
   * @throws UmbraError; its `problem` has `operation`, `thing`, `shadow` and `current` of what was refused
   */
  transaction(operations: readonly Operation[], options: TransactionOptions = {}): Promise<TransactionResult> {
    return commit(this.#caller, operations, options);
  }

  /**
   * Every change that fits the filter, in the order of the store, none left out and each at least once; resumes by itself
   * on whichever node answers. Leaving the loop, or the signal, ends it.
   * @throws UmbraError: `compacted`, `epoch-changed` or `cursor-gone`, without `initial`, if changes since the cursor are
   * lost; `unreachable`; `closed`; a refusal by the service; what the cursor throws
   */
  watch<T = AnyState>(
    filter: WatchFilter = {},
    options: WatchOptions = {},
  ): AsyncGenerator<Change<T>, void, undefined> {
    return watched(this.#caller, sourceOf(filter), options);
  }

  /**
   * Begins to hold all shadows that fit the filter. `synced` of what it returns waits for them.
   * @throws UmbraError invalid-argument for a filter by content
   */
  cache<T = AnyState>(filter: ShadowFilter = {}, options: CacheOptions<T> = {}): ShadowCache<T> {
    if (Object.keys(filter).some((member) => member !== 'things' && member !== 'shadows'))
      throw clientError('invalid-argument', 'a cache holds whole shadows: filter by things and shadows alone');
    return new ShadowCache<T>(this.#caller, sourceOf(filter), options);
  }

  /** Ends all calls and streams with `closed`, and the source of the credential. */
  close(): void {
    this.#caller.close();
  }
}
