import type { Clock, Store } from '../../platform.js';
import { alone } from '../session/alone.js';

/** What has to be remembered until the browser comes back. */
export interface BegunLogin {
  readonly state: string;
  readonly nonce: string;
  /** Of PKCE (RFC 7636): only who has begun the login can finish it. */
  readonly verifier: string;
  readonly redirectUri: string;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** Logins that were begun and not finished, at most; older ones are forgotten. */
const MAX_BEGUN = 16;
/** Milliseconds in which somebody has to sign in. */
const LONGEST_MS = 3_600_000;

/** Logins under way, in the store if there is one: the page that finishes one is a new page. */
export class BegunLogins {
  #text: string | null = null;

  constructor(
    private readonly store: Store | null,
    private readonly key: string,
    private readonly clock: Clock,
  ) {}

  /** @throws what the store throws */
  add(login: BegunLogin): Promise<void> {
    return this.#change((all) => [...all, login].slice(-MAX_BEGUN));
  }

  /** Takes one out: each can be finished once. @returns null: there is none. @throws what the store throws */
  async take(state: string): Promise<BegunLogin | null> {
    let found: BegunLogin | undefined;
    await this.#change((all) => {
      found = all.find((each) => each.state === state);
      return all.filter((each) => each !== found);
    });
    return found ?? null;
  }

  #change(change: (all: readonly BegunLogin[]) => readonly BegunLogin[]): Promise<void> {
    const { store, key, clock } = this;
    const task = async (): Promise<void> => {
      const text = store ? await store.get(key) : this.#text;
      const all = JSON.parse(text ?? '[]') as BegunLogin[];
      const kept = change(all.filter(({ at }) => clock.now() - at < LONGEST_MS));
      if (kept.length === 0) await (store ? store.delete(key) : (this.#text = null));
      else if (store) await store.set(key, JSON.stringify(kept));
      else this.#text = JSON.stringify(kept);
    };
    return store ? alone(store, key, clock, task) : task();
  }
}
