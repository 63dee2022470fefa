import { pauseAfter } from '../../back-off.js';
import type { Call } from '../../call/call.js';
import { platformOf, type Platform } from '../../platform.js';
import { clientError, UmbraError } from '../../umbra-error.js';
import { pause, within } from '../../within.js';
import type { Auth } from '../auth.js';
import { asUmbraError, isFinal, later, mayPass, signedOut } from './final-errors.js';
import type { HeldToken } from './held-token.js';
import { ATTEMPT_MS, ATTEMPTS, BACK_OFF, LONGEST_WAIT_MS, REFUSED_MS, SPREAD_MS } from './limits.js';
import { Listeners, type SessionEvents } from './listeners.js';
import { PolicyReader } from './policy-reader.js';
import type { Parts, SessionOptions } from './session-options.js';
import type { SessionState } from './session-state.js';
import { TokenKeeper, type Renewal } from './token-keeper.js';
import type { Grant, RefreshReason, TokenSource } from './token-source.js';

export type { SessionOptions } from './session-options.js';

/**
 * Keeps a token good: renews it in the background and when it is needed, once for all who wait, and says when somebody
 * has to sign in. All clients of a process may share one. Nothing that it shows holds a token.
 */
export class AuthSession implements Auth {
  readonly #source: TokenSource;
  readonly #options: SessionOptions;
  readonly #listeners = new Listeners();
  readonly #policy = new PolicyReader();
  #made: Parts | null = null;
  /** Null: it does not hear of others that use its store. */
  #unwatch: (() => void) | null = null;
  #clients = 0;
  #isClosed = false;
  #state: SessionState = 'idle';
  #held: HeldToken | null = null;
  #flight: Promise<void> | null = null;
  /** Its abort ends the renewal that is under way, and what it still brings does not count. */
  #control = new AbortController();
  /** Attempts since the last success. */
  #failures = 0;
  #error: UmbraError | null = null;
  #isSignedOut = false;
  /** Milliseconds of the monotonic clock; null: no attempt is planned. */
  #retryAt: number | null = null;
  #refused: { readonly token: string; readonly next: string | null; readonly at: number } | null = null;
  #waiting = new Set<() => void>();
  #cancelTimer = (): void => undefined;

  constructor(source: TokenSource, options: SessionOptions = {}) {
    this.#source = source;
    this.#options = options;
  }

  get state(): SessionState {
    return this.#state;
  }

  /** Epoch milliseconds of the next attempt, while the session is `failed`; null: none is planned. */
  get retryAt(): number | null {
    const { clock } = this.#parts.platform;
    return this.#retryAt === null ? null : clock.now() + this.#retryAt - clock.monotonic();
  }

  /** Why the last attempt has failed; null: it has not. */
  get error(): UmbraError | null {
    return this.#error;
  }

  /** Whether requests carry a token that has ended, which the service still accepts for its `grace_period`. */
  get degraded(): boolean {
    return this.#failures > 0 && this.#held !== null && this.#held.isOver && this.#held.mayCount(this.#policy.rules);
  }

  /** Epoch milliseconds by the clock of the service, as far as a token has told. */
  get serverTime(): number {
    return this.#parts.keeper.serverTime;
  }

  /** Hears of the session from now on. Returns a function that ends it. No errors. */
  on<E extends keyof SessionEvents>(event: E, listener: (what: SessionEvents[E]) => void): () => void {
    return this.#listeners.on(event, listener);
  }

  attach(url: string, platform: Platform): void {
    // Either may refuse the address, and a client that is refused counts in neither.
    this.#options.fallback?.attach?.(url, platform);
    try {
      this.#made ??= this.#make(this.#options.url ?? url, platformOf({ ...platform, ...this.#options }));
    } catch (error) {
      this.#options.fallback?.close?.();
      throw error;
    }
    this.#clients++;
    this.#isClosed = false;
    if (this.#unwatch) return;
    // It was closed, and has missed what others have stored.
    this.#unwatch = this.#watch(this.#made.keeper);
    void this.#look();
    this.#plan();
  }

  /** @throws UmbraError */
  async headers(call: Call): Promise<Readonly<Record<string, string>>> {
    const held = await this.#ready(call.signal);
    return held ? { authorization: `Bearer ${held.text}` } : this.#options.fallback!.headers(call);
  }

  /** @throws UmbraError */
  async token(signal: AbortSignal): Promise<string> {
    const held = await this.#ready(signal);
    if (held) return held.text;
    const text = await this.#options.fallback?.token?.(signal);
    if (text !== undefined) return text;
    throw this.#error ?? clientError('credential-failed', 'the fallback has no token', { retryable: true });
  }

  async refused(used: Readonly<Record<string, string>>, _error: UmbraError, signal: AbortSignal): Promise<boolean> {
    if (this.#isSignedOut) return false;
    const held = this.#held;
    if (held && used['authorization'] !== `Bearer ${held.text}`) return !held.isOver;
    if (held) {
      if (this.#isRefusedAgain(held.text)) return false;
      this.#refused = { token: held.text, next: null, at: this.#parts.platform.clock.monotonic() };
      this.#held = null;
    }
    await this.#within(signal, () => this.#begin('rejected'));
    const renewed = this.#held as HeldToken | null;
    return renewed !== null && used['authorization'] !== `Bearer ${renewed.text}`;
  }

  /**
   * Renews now, or waits for the renewal that is under way.
   * @throws UmbraError why it has failed
   */
  async refresh(signal?: AbortSignal): Promise<void> {
    if (this.#isSignedOut) throw this.#error ?? signedOut(null);
    this.#retryAt = null;
    await this.#within(signal, () => this.#begin('force'));
    if (this.#error) throw this.#error;
  }

  /**
   * Begins again after a sign-out: with a grant that somebody has signed in with, or with what the source has.
   * @throws UmbraError
   */
  async signIn(grant?: Grant): Promise<void> {
    const interrupted = this.#interrupt();
    const { signal } = this.#control;
    await interrupted;
    const held = grant ? await this.#parts.keeper.keep(grant) : null;
    // Somebody has signed out meanwhile, and wins.
    signal.throwIfAborted();
    this.#isSignedOut = false;
    this.#retryAt = null;
    if (held) this.#succeed({ held, isShared: false });
    else await this.refresh();
  }

  /** Forgets the tokens, here and in the store. A renewal that is under way brings nothing any more. @throws UmbraError */
  async signOut(): Promise<void> {
    const { keeper, url, platform } = this.#parts;
    const error = signedOut(null);
    const isFirst = this.#stop(error);
    await this.#interrupt();
    const limit = { clock: platform.clock, ms: ATTEMPT_MS, what: 'signing out' };
    const failure = await within(limit, (signal) => keeper.end({ url, signal })).catch(asUmbraError);
    if (isFirst) this.#listeners.emit('signedOut', error, platform.logger);
    if (failure) throw failure;
  }

  /** Ends the timers, once all clients are closed. A token that is needed later is got all the same. No errors. */
  close(): void {
    if (--this.#clients > 0) return;
    this.#isClosed = true;
    this.#cancelTimer();
    this.#policy.stop();
    this.#unwatch?.();
    this.#unwatch = null;
    this.#options.fallback?.close?.();
  }

  /** What it takes from its surroundings. @throws UmbraError invalid-argument without a client and an url */
  protected get platform(): Platform {
    return this.#parts.platform;
  }

  toJSON(): object {
    return { state: this.#state, retryAt: this.#made && this.retryAt, degraded: this.degraded };
  }

  get #parts(): Parts {
    return (this.#made ??= this.#make(this.#options.url ?? '', platformOf(this.#options)));
  }

  /** @throws UmbraError invalid-argument for the address of a device, to which no request can be sent */
  #make(url: string, platform: Platform): Parts {
    if (!/^https?:/.test(url))
      throw clientError('invalid-argument', 'give the session to a client of HTTP, or say its url: http(s)://…');
    const keeper = new TokenKeeper(this.#source, platform, this.#options.storeKey ?? 'umbra.session');
    this.#unwatch = this.#watch(keeper);
    return { url: url.replace(/\/+$/, ''), platform, keeper };
  }

  #watch(keeper: TokenKeeper): () => void {
    return keeper.watch(() => void this.#look());
  }

  /** @returns null: the fallback has to do. @throws UmbraError */
  async #ready(signal: AbortSignal): Promise<HeldToken | null> {
    for (;;) {
      if (this.#isSignedOut) throw this.#error ?? signedOut(null);
      const held = this.#held;
      if (held && held.dueMs(this.#policy.rules) > 0) return held;
      if (!this.#isPausing) void this.#begin(this.#reason);
      if (held && !held.isOver) return held;
      if (this.#failures > 0) {
        if (held?.mayCount(this.#policy.rules)) return held;
        if (this.#options.fallback) return null;
        if (this.#isPausing) throw later(this.#error, this.#retryAt! - this.#parts.platform.clock.monotonic());
      }
      await this.#within(signal, () => new Promise<void>((resolve) => this.#waiting.add(resolve)));
    }
  }

  #within<T>(signal: AbortSignal | undefined, task: () => Promise<T>): Promise<T> {
    const { clock } = this.#parts.platform;
    return within({ clock, ms: LONGEST_WAIT_MS, signals: [signal], what: 'the wait for a token' }, task);
  }

  /** Whether it has failed, and it is not yet time for the next attempt. */
  get #isPausing(): boolean {
    const { clock } = this.#parts.platform;
    return this.#state === 'failed' && !this.#flight && this.#retryAt !== null && this.#retryAt > clock.monotonic();
  }

  get #reason(): RefreshReason {
    if (this.#refused?.next === null) return 'rejected';
    if (!this.#held) return 'first';
    const { rules } = this.#policy;
    if (rules.forceRotate && this.#held.dueMs({ ...rules, forceRotate: false }) > 0) return 'force';
    return this.#source.isLogin ? 'rotation' : 'expiry';
  }

  #isRefusedAgain(token: string): boolean {
    return this.#refused?.next === token && this.#parts.platform.clock.monotonic() - this.#refused.at < REFUSED_MS;
  }

  /** One renewal at a time. No errors. */
  #begin(reason: RefreshReason): Promise<void> {
    if (this.#isPausing || this.#isSignedOut) return Promise.resolve();
    // After this function, so that a listener finds the renewal under way.
    this.#flight ??= Promise.resolve()
      .then(() => this.#renew(reason))
      .finally(() => {
        this.#flight = null;
        this.#wake();
        this.#plan();
      });
    return this.#flight;
  }

  async #renew(reason: RefreshReason): Promise<void> {
    const { signal } = this.#control;
    const { clock, random } = this.#parts.platform;
    const attempts = this.#state === 'failed' ? 1 : ATTEMPTS;
    this.#cancelTimer();
    this.#retryAt = null;
    if (attempts > 1) this.#enter('refreshing');
    for (let attempt = 1; ; attempt++) {
      const error = await this.#attempt(reason, signal);
      if (signal.aborted) return this.#settle();
      if (error === null) return;
      this.#failures++;
      this.#error = error;
      if (isFinal(error)) return this.#lose(error);
      const spread = error.retryAfterMs === null ? 0 : error.retryAfterMs * (1 + 0.3 * random());
      const ms = spread || pauseAfter(this.#failures, BACK_OFF, random());
      if (!mayPass(error)) return this.#fail(BACK_OFF.longestMs);
      if (attempt >= attempts || ms > BACK_OFF.longestMs * 1.3) return this.#fail(ms);
      this.#wake();
      await pause(clock, ms, signal, 'the renewal').catch(() => undefined);
      if (signal.aborted) return this.#settle();
    }
  }

  /** @returns why it has failed; null: it has not, or does not count any more */
  async #attempt(reason: RefreshReason, signal: AbortSignal): Promise<UmbraError | null> {
    const { platform, keeper, url } = this.#parts;
    const { clock, logger } = platform;
    const old = this.#held?.text ?? this.#refused?.token ?? null;
    const start = clock.monotonic();
    const limit = { clock, ms: ATTEMPT_MS, signals: [signal], what: 'the renewal of the token' };
    const result = await within(limit, (attempt) => keeper.renew({ url, old, signal: attempt })).catch(asUmbraError);
    if (signal.aborted) return null;
    const [error, renewal] = result instanceof UmbraError ? [result, null] : [null, result];
    const lifetimeMs = renewal?.held.lifetimeMs ?? Infinity;
    const about = { reason, durationMs: clock.monotonic() - start, isShared: renewal?.isShared ?? false };
    if (renewal) this.#succeed(renewal);
    else logger.warn({ reason, code: error?.code, status: error?.status }, 'no token was got');
    this.#listeners.emit('refresh', { ...about, error, ttlMs: lifetimeMs === Infinity ? null : lifetimeMs }, logger);
    return error;
  }

  #succeed({ held }: Renewal): void {
    const { url, platform } = this.#parts;
    this.#failures = 0;
    this.#error = this.#retryAt = null;
    this.#isSignedOut = false;
    this.#held = held;
    if (this.#refused?.next === null) this.#refused = { ...this.#refused, next: held.text };
    if (this.#state === 'failed') this.#enter('recovered');
    if (this.#state !== 'idle') this.#enter('idle');
    this.#wake();
    this.#plan();
    this.#policy.follow(url, held, platform, this.#isClosed ? null : () => this.#plan());
  }

  #fail(ms: number): void {
    this.#retryAt = this.#parts.platform.clock.monotonic() + ms;
    if (this.#state === 'refreshing') this.#enter('failed');
  }

  /** The credential does not hold any more. */
  #lose(error: UmbraError): void {
    if (this.#state === 'refreshing') this.#enter('failed');
    if (error.code === 'invalid-grant') void this.#parts.keeper.forget().catch(() => undefined);
    this.#end(error.code === 'signed-out' ? error : signedOut(error));
  }

  /** What was under way does not count any more. */
  #settle(): void {
    if (this.#state === 'refreshing') this.#enter('idle');
  }

  #end(error: UmbraError): void {
    if (this.#stop(error)) this.#listeners.emit('signedOut', error, this.#parts.platform.logger);
  }

  /** @returns whether somebody was signed in until now */
  #stop(error: UmbraError): boolean {
    const wasSignedOut = this.#isSignedOut;
    this.#isSignedOut = true;
    this.#held = this.#retryAt = null;
    this.#error = error;
    this.#cancelTimer();
    this.#policy.stop();
    this.#wake();
    return !wasSignedOut;
  }

  async #interrupt(): Promise<void> {
    this.#control.abort(signedOut(null));
    this.#control = new AbortController();
    await this.#flight;
  }

  /** Another process or tab has changed the store. */
  async #look(): Promise<void> {
    const { signal } = this.#control;
    const found = await this.#parts.keeper.look(this.#held?.text ?? null).catch(() => null);
    // A renewal that is under way looks there itself, and who signs in or out meanwhile wins.
    if (signal.aborted || this.#flight || found === null) return;
    if (found !== 'gone') this.#succeed(found);
    else if (!this.#isSignedOut) this.#end(signedOut(null));
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }

  /** Sets the timer for the next renewal. */
  #plan(): void {
    this.#cancelTimer();
    if (this.#isClosed || this.#isSignedOut || this.#flight) return;
    const ms = this.#planMs();
    const { clock } = this.#parts.platform;
    if (ms !== Infinity) this.#cancelTimer = clock.after(ms, () => this.#tick(), true);
  }

  #planMs(): number {
    const { clock, random } = this.#parts.platform;
    if (this.#state === 'failed') return this.#retryAt === null ? Infinity : this.#retryAt - clock.monotonic();
    if (!this.#held) return Infinity;
    // Clients that got their tokens together do not come back together.
    return this.#held.dueMs(this.#policy.rules) + random() * Math.min(this.#held.lifetimeMs / 20, SPREAD_MS);
  }

  /** Long timers run early, and the clock may say otherwise by now. */
  #tick(): void {
    if (this.#state === 'failed' || (this.#held && this.#held.dueMs(this.#policy.rules) <= 0))
      void this.#begin(this.#reason);
    else this.#plan();
  }

  #enter(state: SessionState): void {
    this.#state = state;
    this.#listeners.emit('state', state, this.#parts.platform.logger);
  }
}
