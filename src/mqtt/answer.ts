import type { Principal } from '../access/principal.js';
import type { ServiceErrorCode } from '../errors/error-table.js';
import type { RequestOptions, ShadowKey } from '../store/shadow-store.js';
import type { RequestTrace } from '../telemetry/request-trace.js';
import type { TraceHeaders } from '../telemetry/trace-context.js';
import { isWithinLimits, type RequestTopic } from './topics.js';

/** One published request, as a door hands it over. */
export interface ReceivedRequest {
  readonly topic: string;
  /** `topic`, parsed. */
  readonly request: RequestTopic;
  /** The shadow that it names. */
  readonly key: ShadowKey;
  /** To be read before the handler returns: it may be bytes of a read buffer. */
  readonly payload: Buffer;
  readonly principal: Principal;
  readonly clientId: string;
  /** The conditions without which a change of this request must not count. */
  readonly writeOptions?: Omit<RequestOptions, 'deadline'> | undefined;
  /** What its sender says of its trace; null: nothing. */
  readonly traceHeaders?: TraceHeaders | null | undefined;
}

/** A message that the door must publish. */
export interface AnswerMessage {
  readonly topic: string;
  /** JSON. */
  readonly text: string;
}

export type Answer =
  | {
      readonly outcome: 'accepted';
      /** null: the feed brings the answer. */
      readonly message: AnswerMessage | null;
      /** Revision of the commit; 0 when nothing was committed. */
      readonly revision: number;
    }
  | {
      readonly outcome: 'rejected';
      /** null: the topic of the answer would be too long. */
      readonly message: AnswerMessage | null;
      readonly code: ServiceErrorCode;
    }
  /** It may have been applied, so it is not rejected. */
  | { readonly outcome: 'unknown' };

/** Who hears how a request ended. */
export interface AnswerReceiver {
  /** @param trace that is kept of the request; null: none is */
  answered(answer: Answer, trace: RequestTrace | null): void;
}

export const UNKNOWN: Answer = { outcome: 'unknown' };

/** The message of an answer; null: its topic would be too long. No errors. */
export function messageOf(topic: string, outcome: 'accepted' | 'rejected', text: string): AnswerMessage | null {
  const answerTopic = `${topic}/${outcome}`;
  return isWithinLimits(answerTopic) ? { topic: answerTopic, text } : null;
}
