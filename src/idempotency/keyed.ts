import type { CallHead } from '../access/call-head.js';
import type { AnswerBounds } from './answer-counts.js';
import { A_DAY, MINUTES } from './answer-leases.js';
import { folderOf, lifetimeOf, lineFolderOf } from './idempotency-key.js';

/** What is carried out once. */
export interface Keyed {
  readonly tenant: string;
  /** Key below the cluster's own keys where its answer is kept. */
  readonly place: string;
  /** What makes it the same one when it comes again. */
  readonly fingerprint: string;
  /** What the tenant may have of its kind. */
  readonly bounds: AnswerBounds;
}

/** Of requests: the answers of 50,000 small shadows take about 100 MB. */
export const REQUESTS: AnswerBounds = {
  folderOf,
  what: 'requests of the tenant',
  retention: A_DAY,
  maxKept: 50_000,
  maxBytes: 256 * 1024 * 1024,
};

/**
 * Of requests that ask for no more than minutes. A repetition finds its answer whatever it asks for, so they stand beside
 * the others. Half of the room is theirs alone: answers that are kept for a day do not keep them out.
 */
export const BRIEF_REQUESTS: AnswerBounds = {
  folderOf,
  what: 'requests of the tenant',
  retention: MINUTES,
  maxKept: 100_000,
  maxBytes: 128 * 1024 * 1024,
};

/** Of lines of bulk requests, whose answers are a few bytes. They have a bound of their own: no file uses up the other. */
export const LINES: AnswerBounds = {
  folderOf: lineFolderOf,
  what: 'lines of bulk requests of the tenant',
  retention: A_DAY,
  maxKept: 250_000,
  maxBytes: 256 * 1024 * 1024,
};

/** What a request of HTTP or gRPC is kept by. @throws ServiceError invalidRequest */
export function boundsOf(head: CallHead): AnswerBounds {
  const seconds = lifetimeOf(head);
  return seconds !== null && seconds <= MINUTES.seconds ? BRIEF_REQUESTS : REQUESTS;
}
