import { forMany } from '../builtin.js';
import { clientError, type Outcome, type UmbraError } from '../umbra-error.js';
import { aborted, type Limit } from '../within.js';

/**
 * A promise that `start` hands on to whoever settles it, for at most so long. It costs a part of what `within` does: there
 * is no signal by which the other side learns that nobody waits any more. Leaves no timer and no listener behind.
 * @param outcome of the errors that end the wait
 * @throws UmbraError timeout, aborted; what `start` throws
 */
export function settled<T>(
  { clock, ms, what, signals = [], outcome = 'not-applied' }: Limit & { readonly outcome?: Outcome },
  start: (resolve: (value: T) => void, reject: (error: UmbraError) => void) => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const before = signals.find((signal) => signal?.aborted);
    if (before) return reject(aborted(what, before));
    let isOver = false;
    let free = (): void => void (isOver = true);
    const fail = (error: UmbraError): void => {
      free();
      reject(error);
    };
    start((value) => {
      free();
      resolve(value);
    }, fail);
    if (isOver) return;
    const cancel = clock.after(ms, () => {
      const text = `${what} took longer than ${Math.round(ms)} ms`;
      fail(clientError('timeout', text, { retryable: true, outcome }));
    });
    const unlinks = signals.map((signal) =>
      signal ? onAbort(signal, () => fail(aborted(what, signal).withOutcome(outcome))) : () => undefined,
    );
    free = () => {
      cancel();
      for (const unlink of unlinks) unlink();
    };
  });
}

function onAbort(signal: AbortSignal, task: () => void): () => void {
  forMany(signal).addEventListener('abort', task, { once: true });
  return () => signal.removeEventListener('abort', task);
}
