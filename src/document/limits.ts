/** Limits of a shadow and its requests. The defaults are those of the AWS quotas (PROTOCOL 3). */
export interface Limits {
  /** Bytes of the compact JSON of `{"desired":…,"reported":…}` after the merge. */
  readonly maxDocumentBytes: number;
  /** Levels of member names and array elements inside one section. At most 100: documents are walked recursively. */
  readonly maxDepth: number;
  /** UTF-8 bytes of a client token. */
  readonly maxClientTokenBytes: number;
  /**
   * Bytes of an update as sent. The request is stored beside the document, with its nulls, which leave no other trace.
   */
  readonly maxRequestBytes: number;
}

export const DEFAULT_LIMITS: Limits = {
  maxDocumentBytes: 8192,
  maxDepth: 8,
  maxClientTokenBytes: 64,
  maxRequestBytes: 32 * 1024,
};

/** Bytes around a request that is just too large: such a one is still read, to answer with its client token. */
const ENVELOPE_BYTES = 1024;

/** Bytes of the largest payload that is parsed at all. No errors. */
export function largestRequest({ maxRequestBytes }: Limits): number {
  return maxRequestBytes + ENVELOPE_BYTES;
}

/** Seconds for which the version of a deleted shadow is kept at least: 48 h (PROTOCOL 2.5). */
export const TOMBSTONE_SECONDS = 48 * 3600;
