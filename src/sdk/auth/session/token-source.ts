import type { Platform } from '../../platform.js';

/** Why a token is renewed, for spans and metrics. */
export type RefreshReason = 'first' | 'expiry' | 'force' | 'rotation' | 'rejected';

/** What a source has got. */
export interface Grant {
  /** The access token, or the key. */
  readonly token: string;
  /** Milliseconds from the request for it; null: it does not say, and counts until it is refused. */
  readonly lifetimeMs: number | null;
  /** What the next renewal shows instead of this token; null: the source has what it needs. */
  readonly refreshToken?: string | null;
  /** Epoch milliseconds by the clock of who gave it; null: not known. */
  readonly serverTime?: number | null;
}

export interface RenewRequest {
  /** Address of the service, without a slash at its end. */
  readonly url: string;
  readonly platform: Platform;
  /** Of the grant before, or of the store. */
  readonly refreshToken: string | null;
  readonly signal: AbortSignal;
}

/** Where a session gets its tokens. */
export interface TokenSource {
  /** @throws UmbraError; `retryable` says whether to try again */
  renew(request: RenewRequest): Promise<Grant>;
  /** Whether somebody has signed in, and has to do so again when the refresh token is gone. */
  readonly isLogin?: boolean;
  /** Ends a login at who gave it, as far as that can be reached. */
  end?(request: RenewRequest): Promise<void>;
}
