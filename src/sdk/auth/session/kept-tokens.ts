import type { Clock, Store } from '../../platform.js';
import { alone } from './alone.js';

/** Tokens as a store has them. */
export interface KeptTokens {
  readonly token: string;
  readonly refreshToken: string | null;
  /** Epoch milliseconds by the clock of the service; null: it has no end that is known. */
  readonly endsAt: number | null;
  readonly lifetimeMs: number | null;
  /** Milliseconds by which that clock is ahead of the one of this machine. */
  readonly skewMs: number;
}

/** The tokens of one login in a store. */
export class TokenShelf {
  constructor(
    readonly store: Store,
    readonly key: string,
    private readonly clock: Clock,
  ) {}

  /** null: there are none, or something that is not ours. */
  async read(): Promise<KeptTokens | null> {
    try {
      const kept = JSON.parse((await this.store.get(this.key)) ?? 'null') as KeptTokens | null;
      return typeof kept?.token === 'string' ? kept : null;
    } catch (error) {
      if (error instanceof SyntaxError) return null;
      throw error;
    }
  }

  write(tokens: KeptTokens): Promise<void> {
    return this.store.set(this.key, JSON.stringify(tokens));
  }

  /** @param refreshToken of a login that has ended; the tokens of a newer one stay */
  async drop(refreshToken?: string | null): Promise<void> {
    if (refreshToken !== undefined && (await this.read())?.refreshToken !== refreshToken) return;
    await this.store.delete(this.key);
  }

  /** Runs a task while nobody else has these tokens under way; other processes and tabs if the store has a lock. */
  alone<T>(task: () => Promise<T>): Promise<T> {
    return alone(this.store, this.key, this.clock, task);
  }
}
