import { forMany } from './builtin.js';
import type { Clock } from './platform.js';
import { clientError, type UmbraError } from './umbra-error.js';

export interface Limit {
  readonly clock: Clock;
  /** Milliseconds. */
  readonly ms: number;
  /** Each of them ends the wait too. */
  readonly signals?: readonly (AbortSignal | undefined)[];
  /** What the wait is for, as the subject of a sentence: `GET /v1/things`. */
  readonly what: string;
}

/** The error of what a signal has ended: its reason, if that is one of ours. No errors. */
export function aborted(what: string, { reason }: AbortSignal): UmbraError {
  const isOurs = reason instanceof Error && reason.name === 'UmbraError';
  return isOurs ? (reason as UmbraError) : clientError('aborted', `${what} was aborted`, { cause: reason as unknown });
}

/** Gives the rest of a task so many milliseconds from now, in place of what it had left. No errors. */
export type Anew = (ms: number, code?: keyof typeof LATE) => void;

const LATE = { timeout: 'took longer than', stalled: 'has stalled for' };

/**
 * Runs `task` for at most so long. Its signal aborts when the time is over or one of the signals does; the wait then
 * ends, whether the task heeds its signal or not. Leaves no timer and no listener behind.
 * @throws UmbraError timeout, stalled, aborted; what `task` throws
 */
export async function within<T>(limit: Limit, task: (signal: AbortSignal, anew: Anew) => Promise<T>): Promise<T> {
  const { clock, what } = limit;
  const control = new AbortController();
  const ended = new Promise<never>((_, reject) => {
    control.signal.addEventListener('abort', () => reject(control.signal.reason as UmbraError), { once: true });
  });
  // The task may end first, and nobody waits for this promise then.
  ended.catch(() => undefined);
  const unlink = link(limit.signals ?? [], control, what);
  let cancel = (): void => undefined;
  const anew: Anew = (ms, code = 'timeout') => {
    cancel();
    const late = (): UmbraError => clientError(code, `${what} ${LATE[code]} ${Math.round(ms)} ms`, { retryable: true });
    // A task that does not heed its signal may still ask for time.
    if (!control.signal.aborted) cancel = clock.after(ms, () => control.abort(late()));
  };
  anew(limit.ms);
  try {
    control.signal.throwIfAborted();
    return await Promise.race([task(control.signal, anew), ended]);
  } finally {
    cancel();
    unlink();
  }
}

/** Aborts `control` as soon as one of the signals aborts, until the function that it returns is called. No errors. */
export function link(
  signals: readonly (AbortSignal | undefined)[],
  control: AbortController,
  what: string,
): () => void {
  const links = signals.flatMap((signal) => {
    if (!signal) return [];
    const abort = (): void => control.abort(aborted(what, signal));
    if (signal.aborted) abort();
    forMany(signal).addEventListener('abort', abort, { once: true });
    return [() => signal.removeEventListener('abort', abort)];
  });
  return () => links.forEach((unlink) => unlink());
}

/**
 * A controller that aborts as soon as one of the signals does. Abort it when it is not needed any more: that leaves
 * nothing on the signals. No errors.
 */
export function linked(signals: readonly (AbortSignal | undefined)[], what: string): AbortController {
  const control = new AbortController();
  const unlink = link(signals, control, what);
  if (control.signal.aborted) unlink();
  control.signal.addEventListener('abort', unlink, { once: true });
  return control;
}

/**
 * Waits for so many milliseconds.
 * @throws UmbraError aborted
 */
export async function pause(clock: Clock, ms: number, signal: AbortSignal, what: string): Promise<void> {
  if (signal.aborted) throw aborted(what, signal);
  await new Promise<void>((resolve, reject) => {
    const abort = (): void => {
      cancel();
      reject(aborted(what, signal));
    };
    const cancel = clock.after(ms, () => {
      signal.removeEventListener('abort', abort);
      resolve();
    });
    signal.addEventListener('abort', abort, { once: true });
  });
}
