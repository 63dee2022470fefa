/**
 * A module of Node, looked up when it is needed; undefined elsewhere. Not an import, so that bundlers for browsers find
 * nothing that they lack. No errors.
 */
export function builtin<T>(name: string): T | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  return process?.getBuiltinModule?.(name) as T | undefined;
}

/**
 * Tells Node that many may wait for one signal, each until its own end: it would take more than ten for a leak. No
 * errors.
 */
export function forMany(signal: AbortSignal): AbortSignal {
  builtin<{ setMaxListeners(count: number, target: EventTarget): void }>('node:events')?.setMaxListeners(0, signal);
  return signal;
}
