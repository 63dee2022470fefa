import { platformOf, type Clock, type Logger, type Platform } from '../platform.js';
import type { AnyState } from '../shadow/state.js';
import { clientError, type UmbraError } from '../umbra-error.js';
import type { Entry } from './entry.js';
import type { RedisClient } from './redis-client.js';

/** Changes that nobody has handled. */
export interface Trimmed {
  /** How many; null: that cannot be known. Entries that were deleted by hand count too. */
  readonly entries: number | null;
  /**
   * `unread`: they left the stream before the group had read them. `pending`: after a consumer had got them, which did
   * not finish. `group`: the stream or its group was deleted and is made anew, from the first entry that is there.
   */
  readonly where: 'unread' | 'pending' | 'group';
}

/** What a handler is told beside the change. */
export interface Delivery {
  /** Aborts when the result does not count any more: another consumer has the entry, or the time to finish is over. */
  readonly signal: AbortSignal;
  /** From 1. */
  readonly tries: number;
  /** A newer change of the same shadow was handled before, by another consumer. */
  readonly isLate: boolean;
}

export interface ConsumeEvents<T = AnyState> {
  /** Changes are lost. It may be told twice. Without this listener `consume` ends with the error `trimmed`. */
  trimmed?(lost: Trimmed): void | Promise<void>;
  /** An entry was put aside. Null: no sink has written it. */
  dead?(change: Entry<T> | null, reason: string): void;
  /** A handler has failed, and will be tried again. */
  retry?(change: Entry<T>, error: unknown): void;
  /** Redis is not reached or does not do what it should; null: it does again. */
  trouble?(error: UmbraError | null): void;
}

export interface ConsumeOptions<T = AnyState> extends Partial<Pick<Platform, 'clock' | 'logger' | 'random'>> {
  /** A client of ioredis, or what looks like it. It gives connections of its own, and is not closed. */
  readonly redis: RedisClient;
  readonly stream: string;
  readonly group: string;
  /** One living consumer has the name at a time. One that comes back with its old name goes on with its entries at once. */
  readonly consumer: string;
  /** The entry is acknowledged after it resolves, and tried again if it rejects. */
  handle(change: Entry<T>, delivery: Delivery): unknown;
  /** Ends it: what has begun is finished, the rest is left to the others. */
  readonly signal?: AbortSignal | undefined;
  /** Where a new group begins: with the `first` entry of the stream, as by default, or the `next` that comes. */
  readonly from?: 'first' | 'next' | undefined;
  /** Entries that it holds at most. 100 by default. */
  readonly batch?: number | undefined;
  /** Shadows that are handled at the same time. 10 by default. */
  readonly concurrency?: number | undefined;
  /** Tries of an entry before it is a dead letter. 5 by default. */
  readonly maxTries?: number | undefined;
  /** Milliseconds without a sign of life after which others take the entries of a consumer. 30,000 by default. */
  readonly claimIdleMs?: number | undefined;
  /** Milliseconds of the pause after a failed try, doubling up to 30 s. 1,000 by default. */
  readonly retryMs?: number | undefined;
  /** Milliseconds that handlers may take to finish after the end. 10,000 by default. */
  readonly drainMs?: number | undefined;
  /** Milliseconds without Redis after which it ends as `unreachable`. 600,000 by default. */
  readonly outageMs?: number | undefined;
  /** Milliseconds that an answer of Redis may take. 5,000 by default. */
  readonly answerMs?: number | undefined;
  /** Seconds that the newest handled revision of a shadow stays known. 604,800 (a week) by default. */
  readonly markSeconds?: number | undefined;
  /** Dead letters that are kept, about. 100,000 by default. */
  readonly maxDead?: number | undefined;
  readonly on?: ConsumeEvents<T> | undefined;
}

const NUMBERS = {
  ...{ batch: 100, concurrency: 10, maxTries: 5, claimIdleMs: 30_000, retryMs: 1_000, drainMs: 10_000 },
  ...{ outageMs: 600_000, answerMs: 5_000, markSeconds: 604_800, maxDead: 100_000 },
};
const HIGHEST: Partial<Record<keyof typeof NUMBERS, number>> = { batch: 1_000, concurrency: 1_000 };
const LOWEST: Partial<Record<keyof typeof NUMBERS, number>> = { claimIdleMs: 100, drainMs: 0 };

export interface Settings<T> extends Readonly<typeof NUMBERS> {
  readonly redis: RedisClient;
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
  readonly handle: ConsumeOptions<T>['handle'];
  readonly signal: AbortSignal | undefined;
  /** Where a new group begins, as XGROUP takes it. */
  readonly start: '0' | '$';
  readonly on: ConsumeEvents<T>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
}

/** @throws UmbraError invalid-argument */
export function settingsOf<T>(options: ConsumeOptions<T>): Settings<T> {
  const { redis, stream, group, consumer, handle, signal, from = 'first', on = {} } = options;
  for (const [name, value] of Object.entries({ stream, group, consumer }))
    if (typeof value !== 'string' || value === '') throw clientError('invalid-argument', `${name} has to be a text`);
  if (typeof handle !== 'function') throw clientError('invalid-argument', 'handle has to be a function');
  if (from !== 'first' && from !== 'next') throw clientError('invalid-argument', 'from has to be "first" or "next"');
  const { clock, logger, random } = platformOf(options);
  const start = from === 'first' ? '0' : '$';
  return {
    ...{ redis, stream, group, consumer, handle: (...args) => handle.apply(options, args), signal, start, on },
    ...{ clock, logger, random },
    ...numbersOf(options),
  };
}

function numbersOf(options: Partial<Record<keyof typeof NUMBERS, number | undefined>>): typeof NUMBERS {
  const numbers = { ...NUMBERS };
  for (const name of Object.keys(NUMBERS) as (keyof typeof NUMBERS)[]) {
    const value = options[name] ?? NUMBERS[name];
    const [low, high] = [LOWEST[name] ?? 1, HIGHEST[name] ?? Number.MAX_SAFE_INTEGER];
    if (!Number.isInteger(value) || value < low || value > high)
      throw clientError('invalid-argument', `${name} has to be an integer of ${low} to ${high}`);
    numbers[name] = value;
  }
  return numbers;
}
