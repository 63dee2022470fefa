import type { Platform } from '../../platform.js';
import { signedOut } from './final-errors.js';
import { HeldToken } from './held-token.js';
import { TokenShelf, type KeptTokens } from './kept-tokens.js';
import type { Grant, RenewRequest, TokenSource } from './token-source.js';

export interface Renewal {
  readonly held: HeldToken;
  /** Whether it was in the store. */
  readonly isShared: boolean;
}

type Ask = Pick<RenewRequest, 'url' | 'signal'> & {
  /** The access token that is not good enough any more. */
  readonly old: string | null;
};

/** Gets tokens from the source, or from the store if somebody else has put a newer one there. */
export class TokenKeeper {
  readonly #source: TokenSource;
  readonly #platform: Platform;
  readonly #shelf: TokenShelf | null;
  /** Where there is no store. */
  #refreshToken: string | null = null;
  /** Whether the store has had our tokens: if they are gone, somebody has signed out. */
  #wasKept = false;
  #skewMs = 0;
  #lastTried: string | null = null;

  constructor(source: TokenSource, platform: Platform, key: string) {
    this.#source = source;
    this.#platform = platform;
    this.#shelf = platform.store && new TokenShelf(platform.store, key, platform.clock);
  }

  /** Epoch milliseconds by the clock of who gave the last token. */
  get serverTime(): number {
    return this.#platform.clock.now() + this.#skewMs;
  }

  /** @throws UmbraError; what the store throws */
  renew(ask: Ask): Promise<Renewal> {
    const shelf = this.#shelf;
    if (!shelf) return this.#fetch(ask, this.#refreshToken, null);
    return shelf.alone(async () => {
      const kept = await shelf.read();
      const found = kept && this.#adopt(kept, ask.old);
      if (found) return found;
      if (!kept && this.#wasKept && this.#source.isLogin) throw signedOut(null);
      return this.#fetch(ask, kept?.refreshToken ?? null, shelf);
    });
  }

  /** Takes what another process or tab has stored, if that is newer. @returns null: it is not; `gone`: it has signed out */
  async look(old: string | null): Promise<Renewal | 'gone' | null> {
    const kept = await this.#shelf?.read();
    if (kept) return this.#adopt(kept, old);
    return this.#wasKept && this.#source.isLogin ? 'gone' : null;
  }

  /** Keeps a grant that somebody has signed in with. */
  async keep(grant: Grant): Promise<HeldToken> {
    const shelf = this.#shelf;
    return shelf ? shelf.alone(() => this.#put(grant, null, shelf)) : this.#put(grant, null, null);
  }

  /** Forgets all, and ends the login at who gave it as far as that can be reached. @throws what the store throws */
  async end(request: Pick<RenewRequest, 'url' | 'signal'>): Promise<void> {
    const shelf = this.#shelf;
    let refreshToken = this.#refreshToken;
    this.#refreshToken = null;
    this.#wasKept = false;
    await shelf?.alone(async () => {
      refreshToken = (await shelf.read())?.refreshToken ?? null;
      await shelf.drop();
    });
    await this.#source.end?.({ ...request, platform: this.#platform, refreshToken }).catch(() => undefined);
  }

  /** Forgets a login that has ended by itself; a newer one of another process stays. @throws what the store throws */
  async forget(): Promise<void> {
    const shelf = this.#shelf;
    this.#wasKept = false;
    this.#refreshToken = null;
    await shelf?.alone(() => shelf.drop(this.#lastTried));
  }

  /** Hears of what others store, if the store can tell. Returns a function that ends it. No errors. */
  watch(listener: () => void): () => void {
    return this.#shelf?.store.watch?.(this.#shelf.key, listener) ?? ((): void => undefined);
  }

  async #fetch({ url, signal }: Ask, refreshToken: string | null, shelf: TokenShelf | null): Promise<Renewal> {
    this.#lastTried = refreshToken;
    const start = this.#platform.clock.monotonic();
    const grant = await this.#source.renew({ url, platform: this.#platform, refreshToken, signal });
    // Somebody has signed out meanwhile, and wins.
    signal.throwIfAborted();
    const held = await this.#put(grant, refreshToken, shelf, this.#platform.clock.monotonic() - start);
    return { held, isShared: false };
  }

  async #put(grant: Grant, before: string | null, shelf: TokenShelf | null, ageMs = 0): Promise<HeldToken> {
    const { token, lifetimeMs, serverTime, refreshToken = before } = grant;
    const { clock } = this.#platform;
    if (typeof serverTime === 'number') this.#skewMs = serverTime - clock.now();
    const endsAt = lifetimeMs === null ? null : this.serverTime - ageMs + lifetimeMs;
    if (!shelf) this.#refreshToken = refreshToken;
    await shelf?.write({ token, refreshToken, endsAt, lifetimeMs, skewMs: this.#skewMs });
    this.#wasKept = shelf !== null;
    return new HeldToken(grant, clock, ageMs);
  }

  #adopt({ token, endsAt, lifetimeMs, skewMs }: KeptTokens, old: string | null): Renewal | null {
    this.#wasKept = true;
    if (token === old) return null;
    const { clock } = this.#platform;
    const leftMs = endsAt === null ? 0 : endsAt - (clock.now() + skewMs);
    if (endsAt !== null && leftMs <= 0) return null;
    this.#skewMs = skewMs;
    const ageMs = Math.max((lifetimeMs ?? 0) - leftMs, 0);
    return { held: new HeldToken({ token, lifetimeMs }, clock, lifetimeMs === null ? 0 : ageMs), isShared: true };
  }
}
