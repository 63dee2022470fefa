import { setTimeout as pause } from 'node:timers/promises';
import { ServiceError } from '../errors/service-error.js';
import { BackOff } from '../resilience/back-off.js';
import type { Clock } from '../resilience/clock.js';

/** Milliseconds: first and longest pause between two reads, each +-50 %. */
const PAUSE_MS = { first: 20, longest: 250 };
/** Milliseconds that the last read is given, and its answer: else the caller would only hear that time is up. */
const READ_MS = 200;

/** How long a caller waits for which revision. */
export interface RevisionWait {
  /** undefined: any will do. */
  readonly minRevision: number | undefined;
  /** Milliseconds of the monotonic clock. */
  readonly deadline: number;
  readonly clock: Clock;
}

/**
 * What `read` finds when it is as new as the caller wants. All reads of the store are linearizable, so the first one has
 * every revision that an answer has ever named: only a revision that this store has not reached, such as one from before a
 * restored backup, makes it read again until the deadline.
 * @param revisionOf the revision that what was found is as new as
 * @throws ServiceError revisionAhead; what `read` throws
 */
export async function asNewAs<T>(
  { minRevision = 0, deadline, clock }: RevisionWait,
  read: () => Promise<T>,
  revisionOf: (found: T) => number,
): Promise<T> {
  for (const backOff = new BackOff(PAUSE_MS); ;) {
    const found = await read();
    const revision = revisionOf(found);
    if (revision >= minRevision) return found;
    const pauseMs = backOff.next();
    if (clock.monotonic() + pauseMs + READ_MS >= deadline) throw revisionAhead(minRevision, revision);
    await pause(pauseMs);
  }
}

/**
 * The error for a revision that the store has not reached. No errors.
 * @param wanted revision of the store
 * @param head revision that it has reached
 */
export function revisionAhead(wanted: number, head: number): ServiceError {
  return new ServiceError('revisionAhead', `${wanted}: it is at ${head}`);
}

/** The revision that a page of a list is as new as. No errors. */
export const revisionOfPage = ({ revision }: { readonly revision: number }): number => revision;
