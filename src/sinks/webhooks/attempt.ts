import { BreakerOpen } from '../../breakers/breaker-open.js';
import type { Clock } from '../../resilience/clock.js';
import { reasonOf } from '../../telemetry/reason.js';
import { verdictOf, type EndpointAnswer, type Verdict } from './answer.js';
import type { WebhookMessage } from './message.js';
import { signedHeaders } from './signature.js';

/** Where messages go, and how they are signed. */
export interface Endpoint {
  /** One request. @throws Error whose message is for the operator */
  readonly post: (body: string, headers: Readonly<Record<string, string>>) => Promise<EndpointAnswer>;
  /** Keys that sign, the newest first; asked at each attempt, so that one that is over signs nothing more. */
  readonly keys: () => readonly Uint8Array[];
  /** Refuses calls with BreakerOpen while the endpoint fails. */
  readonly breaker: { readonly run: <T>(call: () => Promise<T>) => Promise<T> };
  readonly clock: Clock;
}

/** How an attempt ended. */
export interface Attempt {
  readonly verdict: Verdict;
  /** Whether a request was made: an open breaker makes none. */
  readonly isAsked: boolean;
}

/** One attempt to deliver a message. No errors: they are verdicts. */
export async function attempt(
  { post, keys, breaker, clock }: Endpoint,
  { id, body }: Pick<WebhookMessage, 'id' | 'body'>,
): Promise<Attempt> {
  let isAsked = false;
  let verdict: Verdict | null = null;
  const request = async (): Promise<Verdict> => {
    isAsked = true;
    const answer = await post(body, signedHeaders(keys(), { id, body, at: clock.now() }));
    verdict = verdictOf(answer, clock.now());
    // For the breaker: the endpoint answers, but with what says that it takes nothing at present.
    if (verdict.kind === 'failed' && verdict.isDown) throw new Error(verdict.reason);
    return verdict;
  };
  try {
    return { verdict: await breaker.run(request), isAsked };
  } catch (error) {
    const waitMs = error instanceof BreakerOpen ? error.leftMs : 0;
    return { verdict: verdict ?? { kind: 'failed', reason: reasonOf(error), waitMs, isDown: true }, isAsked };
  }
}
