import { CallHung } from './etcd-error.js';

/** Milliseconds that a call may overrun its own deadline before it counts as hung. */
const HUNG_AFTER_MS = 250;

/**
 * The result of a call to the member at `host`, which ends soon after its deadline even if the library hangs.
 * @param timeoutMs milliseconds until the call's own deadline
 * @throws CallHung; what the call throws
 */
export async function unlessHung<T>(call: Promise<T>, host: string, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const hung = new Promise<never>((_, reject) => {
    const after = timeoutMs + HUNG_AFTER_MS;
    timer = setTimeout(() => reject(new CallHung(`no end of the call to ${host} in ${after} ms`)), after);
  });
  try {
    return await Promise.race([call, hung]);
  } finally {
    clearTimeout(timer);
  }
}
