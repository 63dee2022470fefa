import type { AnswerBounds } from './answer-counts.js';
import { folderOf, lineFolderOf } from './idempotency-key.js';

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
  maxKept: 50_000,
  maxBytes: 256 * 1024 * 1024,
};

/** Of lines of bulk requests, whose answers are a few bytes. They have a bound of their own: no file uses up the other. */
export const LINES: AnswerBounds = {
  folderOf: lineFolderOf,
  what: 'lines of bulk requests of the tenant',
  maxKept: 250_000,
  maxBytes: 256 * 1024 * 1024,
};
