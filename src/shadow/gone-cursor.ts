import { ServiceError } from '../errors/service-error.js';
import { ProblemError } from '../http/problem-error.js';
import type { GapReason } from '../store/shadow-feed.js';
import type { FirstEvent } from './copy-events.js';
import { END_MESSAGES, type PermittedWatch } from './watch.js';

/** Milliseconds for which a resuming stream waits for the fate of its cursor: a lost one gets an error and no stream. */
const KNOWN_GONE_MS = 250;

/** The changes after a cursor are gone; programs learn why from `reason`, as from the end of a stream. */
export class CursorGone extends ProblemError {
  constructor(readonly reason: GapReason) {
    super(new ServiceError('cursorGone', END_MESSAGES[reason]), { reason });
  }
}

/**
 * Waits a moment for the fate of a cursor, before anything is sent.
 * @param first the first event, which was asked for
 * @throws CursorGone; ServiceError draining
 */
export async function throwIfGone(watch: PermittedWatch, first: FirstEvent): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<null>((resolve) => (timer = setTimeout(resolve, KNOWN_GONE_MS, null)));
  // The events of a stream that has ended end too, perhaps before its reason is known.
  const begun = first.then(({ done }) => (done ? watch.ended : null));
  const ended = await Promise.race([watch.ended, begun, patience]);
  clearTimeout(timer);
  if (ended === 'compacted' || ended === 'epoch-changed') throw new CursorGone(ended);
  if (ended === 'draining') throw new ServiceError('draining');
}
