/** Time, and the only timer of the library; tests swap it (`ManualClock` of `@umbra/client/testing`). */
export interface Clock {
  /** Epoch milliseconds. It may jump either way: nothing waits by it. */
  now(): number;
  /** Milliseconds from a fixed, unknown start; never goes back. */
  monotonic(): number;
  /**
   * Runs `task` once, after `ms` milliseconds. What it returns cancels that.
   * @param mayExit whether a process that has nothing else to do may end before
   */
  after(ms: number, task: () => void, mayExit?: boolean): () => void;
}

/** The methods of pino and of `console`, with data first. Neither gets a credential or data of a device. */
export interface Logger {
  debug(data: object, message: string): void;
  info(data: object, message: string): void;
  warn(data: object, message: string): void;
  error(data: object, message: string): void;
}

/** Texts that outlive the process or the page: tokens, cursors, caches. */
export interface Store {
  /** null: there is none. */
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<void>;
  delete(key: string): Promise<void>;
  /**
   * Runs `task` while no other user of this store does, in whichever process or tab. A store without it is used by this
   * process alone.
   */
  lock?<T>(key: string, task: () => Promise<T>): Promise<T>;
  /** Runs `changed` when another user of this store has changed the text, if it can tell. What it returns ends that. */
  watch?(key: string, changed: () => void): () => void;
}

/** `fetch`, as far as the library uses it. On Node, a wrapper may add a `dispatcher` with a proxy or a pool. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** All that the library takes from its surroundings. */
export interface Platform {
  readonly fetch: Fetch;
  readonly clock: Clock;
  /** 0 to 1, for the spread of pauses. */
  readonly random: () => number;
  /** A new id that nobody can guess, for idempotency keys and client tokens. */
  readonly newId: () => string;
  readonly logger: Logger;
  /** null: nothing is kept. */
  readonly store: Store | null;
}

/** Longest delay of a timer, in milliseconds; longer ones would run at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, task, mayExit = false) {
    const timer: { unref?(): void } = setTimeout(task, Math.min(Math.max(ms, 0), MAX_DELAY_MS));
    if (mayExit) timer.unref?.();
    return () => clearTimeout(timer as NodeJS.Timeout);
  },
};

const nothing = (): void => undefined;
const silent: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** 128 random bits. Unlike `randomUUID`, pages without TLS have `getRandomValues`. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** What was given, and the surroundings of this process or page for the rest. No errors. */
export function platformOf(given: Partial<Platform> = {}): Platform {
  return {
    // Looked up at each call, so that a page or a test may replace it later.
    fetch: given.fetch ?? ((url, init) => fetch(url, init)),
    clock: given.clock ?? systemClock,
    random: given.random ?? Math.random,
    newId: given.newId ?? newId,
    logger: given.logger ?? silent,
    store: given.store ?? null,
  };
}

/**
 * Runs `task` when all that has arrived by now is worked off. Nothing waits by it, so tests have no need to replace it.
 * @returns false: browsers have nothing of the kind, and it will not run. No errors.
 */
export function afterThisTurn(task: () => void): boolean {
  if (typeof setImmediate === 'undefined') return false;
  setImmediate(task);
  return true;
}
