import type { Logger } from '../../platform.js';
import type { UmbraError } from '../../umbra-error.js';
import type { SessionState } from './session-state.js';
import type { RefreshReason } from './token-source.js';

/** One attempt to get a token, without any part of it. */
export interface Refresh {
  readonly reason: RefreshReason;
  /** Milliseconds. */
  readonly durationMs: number;
  /** null: it has succeeded. */
  readonly error: UmbraError | null;
  /** Milliseconds; null: it has failed, or the token does not say. */
  readonly ttlMs: number | null;
  /** Whether another process or tab had got the token already. */
  readonly isShared: boolean;
}

export interface SessionEvents {
  state: SessionState;
  refresh: Refresh;
  /** Nobody is signed in any more, and why: `signed-out`, with what the service said as its `cause`. */
  signedOut: UmbraError;
}

type Listener<E extends keyof SessionEvents> = (event: SessionEvents[E]) => void;

/** Who hears of a session. */
export class Listeners {
  readonly #all = new Map<keyof SessionEvents, Set<Listener<never>>>();

  on<E extends keyof SessionEvents>(name: E, listener: Listener<E>): () => void {
    const listeners = this.#all.get(name) ?? new Set();
    this.#all.set(name, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** What a listener throws goes into the log. */
  emit<E extends keyof SessionEvents>(name: E, event: SessionEvents[E], logger: Logger): void {
    for (const listener of this.#all.get(name) ?? []) {
      try {
        (listener as Listener<E>)(event);
      } catch {
        logger.error({ event: name }, 'a listener of the session has thrown');
      }
    }
  }
}
