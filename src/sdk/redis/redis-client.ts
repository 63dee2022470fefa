import type { Clock } from '../platform.js';
import { clientError, UmbraError } from '../umbra-error.js';
import { aborted, within } from '../within.js';

/** What is used of a client of Redis. `Redis` of ioredis is one as it is. */
export interface RedisClient {
  call(command: string, args: string[]): PromiseLike<unknown>;
  /** Another connection to the same server. A client that knows these options of ioredis heeds them. */
  duplicate(options?: object): RedisClient;
  /** Ends the connection at once. */
  disconnect(): void;
  on?(event: 'error', listener: (error: unknown) => void): unknown;
}

/**
 * What is repeated is repeated here, in its order; a client that does it too would do it out of it, and later. Limits of
 * the user's client would cut off questions for new entries.
 */
const PLAIN = {
  ...{ autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 },
  ...{ commandTimeout: undefined, socketTimeout: undefined },
};
/** First words of refusals that pass. */
const PASSING = new Set(['LOADING', 'READONLY', 'OOM', 'MISCONF', 'MASTERDOWN', 'CLUSTERDOWN', 'BUSY', 'NOREPLICAS']);

export interface CallLimits {
  /** Milliseconds. */
  readonly ms?: number;
  readonly signal?: AbortSignal | undefined;
}

/** One connection, made when it is needed. One that does not answer in time is left for a new one. */
export class Connection {
  #client: RedisClient | null = null;

  /** @param answerMs milliseconds that an answer may take */
  constructor(
    private readonly source: RedisClient,
    private readonly clock: Clock,
    private readonly answerMs: number,
  ) {}

  /** @throws UmbraError unreachable, timeout, aborted; refused, with what Redis has answered */
  async call(command: string, args: string[], { ms = this.answerMs, signal }: CallLimits = {}): Promise<unknown> {
    const what = `${command} of Redis`;
    if (signal?.aborted) throw aborted(what, signal);
    const client = (this.#client ??= this.#open());
    try {
      return await within({ clock: this.clock, ms, signals: [signal], what }, async () => client.call(command, args));
    } catch (error) {
      if (!(error instanceof UmbraError)) throw failure(what, error);
      // Its answer may still come, and nobody would wait for it.
      if (this.#client === client) this.close();
      throw error;
    }
  }

  /** Runs a script. @throws UmbraError as call() */
  run(script: () => string, keys: readonly string[], args: readonly string[], signal?: AbortSignal): Promise<unknown> {
    return this.call('EVAL', [script(), String(keys.length), ...keys, ...args], { signal });
  }

  close(): void {
    this.#client?.disconnect();
    this.#client = null;
  }

  #open(): RedisClient {
    const client = this.source.duplicate(PLAIN);
    // Its commands fail too, and tell it.
    client.on?.('error', () => undefined);
    return client;
  }
}

/** What a client has thrown: answers of Redis begin with a word in capitals. No errors. */
export function failure(what: string, error: unknown): UmbraError {
  const text = error instanceof Error ? error.message : String(error);
  const code = /^[A-Z]{2,} /.exec(text)?.[0].trim();
  if (code === undefined)
    return clientError('unreachable', `${what} was not answered: ${text}`, { retryable: true, cause: error });
  return clientError('refused', `${what}: ${text}`, { retryable: PASSING.has(code), cause: error });
}
