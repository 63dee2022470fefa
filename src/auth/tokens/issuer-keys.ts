import { createLocalJWKSet, type CompactJWSHeaderParameters, type CryptoKey } from 'jose';
import { BackOff } from '../../resilience/back-off.js';
import type { Clock } from '../../resilience/clock.js';
import type { Health } from '../../telemetry/health.js';
import type { Logger } from '../../telemetry/logger.js';
import { reasonOf } from '../../telemetry/reason.js';
import { checkUrl, fetchJson } from './bounded-fetch.js';
import { readKeySet } from './key-set.js';

const REFRESH_MS = 5 * 60_000;
const PAUSES = { first: 2_000, longest: 60_000 };
/** Milliseconds between two fetches for a kid that is not known, whoever asks. */
const UNKNOWN_KID_MS = 5_000;
/** Tokens of unknown kids that wait for a fetch at once; beyond them a kid is unknown at once. */
const MAX_WAITING = 256;
const MAX_STALE_MS = 24 * 3_600_000;
/** Failures after which health tells of them: one lost answer is none of an operator's business. */
const FAILURES_TOLD = 3;

/**
 * Makes an attempt to get the keys of an issuer, or refuses to: the place of a breaker. What the attempt rejects with is
 * passed on.
 */
export type IssuerCall = <T>(issuer: string, attempt: () => Promise<T>) => Promise<T>;

export interface IssuerKeysOptions {
  readonly issuer: string;
  /** URL of the key set; null: as the metadata of the issuer says (OpenID Connect Discovery 1.0, 4). */
  readonly jwksUri: string | null;
  /** Milliseconds that the last good set is used for while the issuer is dead. */
  readonly maxStaleMs?: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Around each attempt; none: it is made. */
  readonly call?: IssuerCall;
}

interface KeySet {
  readonly find: ReturnType<typeof createLocalJWKSet>;
  readonly kids: ReadonlySet<string>;
  readonly size: number;
}

/**
 * The keys of an issuer, fetched in the background, so that a dead issuer stops nobody whose key is known. A kid that is
 * not known has them fetched once more, at most once in 5 s: tokens of a new key are accepted at once, and made-up kids
 * cost the issuer nothing.
 */
export class IssuerKeys {
  readonly #stop = new AbortController();
  readonly #backOff = new BackOff(PAUSES);
  #set: KeySet | null = null;
  #fetching: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  /** Milliseconds of the monotonic clock. */
  #fetchedAt = 0;
  #askedAt = -Infinity;
  #waiting = 0;
  #failures = 0;
  #problem = 'not fetched yet';

  /** @throws Error when a URL is not https, except on this machine */
  constructor(private readonly options: IssuerKeysOptions) {
    checkUrl(options.jwksUri ?? options.issuer);
  }

  /** Fetches now, and in the background until stop(). Resolves after the first try; never rejects. */
  start(): Promise<void> {
    return this.#fetch();
  }

  /** No errors. */
  stop(): void {
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  /** Keys of the set that is in force; null: there is none. */
  get size(): number | null {
    return this.#current()?.size ?? null;
  }

  /** Whether the kid is in the set that is in force. No errors. */
  knows(kid: string | undefined): boolean {
    const set = this.#current();
    return set !== null && (kid === undefined ? isSingle(set) : set.kids.has(kid));
  }

  /**
   * The key for a token with this header; null: there is none.
   * @throws Error when several fit, or the one that fits is not usable
   */
  async find(header: CompactJWSHeaderParameters): Promise<CryptoKey | null> {
    if (!this.knows(header.kid)) await this.#fetchForUnknown();
    const set = this.#current();
    return set !== null && this.knows(header.kid) ? set.find(header) : null;
  }

  /** In an operator's words. No errors. */
  health(): Health {
    const { issuer } = this.options;
    const keys = this.#set === null ? null : `${this.#set.size} keys of ${issuer}`;
    if (keys === null) return { ok: false, reason: `no keys of ${issuer}: ${this.#problem}` };
    if (this.#failures < FAILURES_TOLD) return { ok: true, reason: keys };
    const age = this.options.clock.monotonic() - this.#fetchedAt;
    const left = this.#maxStaleMs - age;
    const state = left > 0 ? `used for another ${minutes(left)}` : 'no longer used';
    return { ok: left > 0, reason: `${keys}, ${minutes(age)} old, ${state}: ${this.#problem}` };
  }

  get #maxStaleMs(): number {
    return this.options.maxStaleMs ?? MAX_STALE_MS;
  }

  #current(): KeySet | null {
    const isStale = this.options.clock.monotonic() - this.#fetchedAt > this.#maxStaleMs;
    return isStale ? null : this.#set;
  }

  async #fetchForUnknown(): Promise<void> {
    const now = this.options.clock.monotonic();
    if (this.#fetching === null && now - this.#askedAt < UNKNOWN_KID_MS) return;
    if (this.#waiting >= MAX_WAITING) return;
    this.#waiting++;
    await this.#fetch().finally(() => this.#waiting--);
  }

  /** One at a time; who asks meanwhile waits for the same. */
  #fetch(): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.resolve();
    return (this.#fetching ??= this.#fetchOnce().finally(() => {
      this.#fetching = null;
      this.#later();
    }));
  }

  async #fetchOnce(): Promise<void> {
    const { clock, logger, issuer, call = (_issuer, attempt) => attempt() } = this.options;
    this.#askedAt = clock.monotonic();
    try {
      // Metadata and keys are one attempt: with metadata that answer, keys that fail would be half of the calls only.
      const { keys } = await call(issuer, async () => readKeySet(await this.#get(await this.#jwksUri())));
      const kids = new Set(keys.flatMap(({ kid }) => kid ?? []));
      this.#set = { find: createLocalJWKSet({ keys }), kids, size: keys.length };
      this.#fetchedAt = clock.monotonic();
      if (this.#failures >= FAILURES_TOLD) logger.info({ issuer }, 'the keys of an issuer can be fetched again');
      this.#failures = 0;
      this.#backOff.reset();
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#problem = reasonOf(error);
      if (++this.#failures === FAILURES_TOLD) {
        logger.warn(
          { issuer, reason: this.#problem },
          'the keys of an issuer cannot be fetched; the last ones are used',
        );
      }
    }
  }

  async #jwksUri(): Promise<string> {
    const { issuer, jwksUri } = this.options;
    if (jwksUri !== null) return jwksUri;
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const metadata = (await this.#get(url)) as { issuer?: unknown; jwks_uri?: unknown } | null;
    if (metadata?.issuer !== issuer) throw new Error(`${url} is the metadata of another issuer`);
    if (typeof metadata.jwks_uri !== 'string') throw new Error(`${url} names no jwks_uri`);
    if (isSecure(url) && !isSecure(metadata.jwks_uri)) throw new Error(`${url} names a jwks_uri without https`);
    return metadata.jwks_uri;
  }

  #get(url: string): Promise<unknown> {
    return fetchJson(url, this.#stop.signal);
  }

  #later(): void {
    clearTimeout(this.#timer);
    if (this.#stop.signal.aborted) return;
    const pause = this.#failures > 0 ? this.#backOff.next() : REFRESH_MS;
    this.#timer = setTimeout(() => void this.#fetch(), pause).unref();
  }
}

/** Then a token needs no kid. */
const isSingle = ({ size }: KeySet): boolean => size === 1;
/** Who speaks for a server elsewhere must not have this machine asked. */
const isSecure = (url: string): boolean => url.startsWith('https:');
const minutes = (ms: number): string => `${Math.round(ms / 60_000)} min`;
