/** Milliseconds that a request of a soak may take; later it has failed. */
const MOST_MS = 10_000;

/** @throws Error when it takes longer */
export function within<T>(work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no answer within ${MOST_MS / 1000} s`)), MOST_MS);
    work.then(resolve, reject).finally(() => clearTimeout(late));
  });
}
