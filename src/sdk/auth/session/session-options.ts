import type { Platform } from '../../platform.js';
import type { Auth } from '../auth.js';
import type { TokenKeeper } from './token-keeper.js';

export interface SessionOptions extends Partial<Platform> {
  /** Address of the service; by default that of the first client that is given the session. */
  readonly url?: string;
  /** Name of the tokens in the store. `umbra.session` by default; two logins in one store need two names. */
  readonly storeKey?: string;
  /** What takes over while no token can be got and the last one does not count any more. */
  readonly fallback?: Auth;
}

/** What a session has once it knows its service. */
export interface Parts {
  readonly url: string;
  readonly platform: Platform;
  readonly keeper: TokenKeeper;
}
