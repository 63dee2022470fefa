import type { AnyState } from '../shadow/state.js';
import { GroupConsumer } from './group-consumer.js';
import { settingsOf, type ConsumeOptions } from './options.js';

/** What a consumer has done. */
export interface ConsumeReport {
  readonly handled: number;
  /** Acknowledged without work, since the same change or a newer one was handled. */
  readonly repeated: number;
  /** Put aside as dead letters. */
  readonly dead: number;
  /** Got and not finished: other consumers take them. */
  readonly left: number;
}

/**
 * Works off the stream of a Redis sink as a member of a consumer group, until its signal aborts. Each change is handled
 * at least once by one of the members, or becomes a dead letter, or is told as trimmed.
 * @throws UmbraError invalid-argument; unreachable after `outageMs` without Redis; refused, with what Redis has
 * answered; trimmed, if nobody listens to that; what a listener throws
 */
export async function consume<T = AnyState>(options: ConsumeOptions<T>): Promise<ConsumeReport> {
  return new GroupConsumer(settingsOf(options)).run();
}
