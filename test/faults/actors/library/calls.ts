import type { CallBegin, CallError, ClientEvent } from '../../model/client-history.js';

/** Calls of the library, each told to the lab when it begins and when it ends. */
export class Calls {
  readonly #open = new Set<Promise<unknown>>();

  /** Tells the lab; at once, so that it knows of what a killed process has begun. */
  tell(event: ClientEvent): void {
    process.send?.(event);
  }

  /** @returns what it resolves to; undefined if it has failed */
  async run<T>(begin: Omit<CallBegin, 'type'>, call: () => Promise<T>): Promise<T | undefined> {
    const { kind, shadow, n } = begin;
    this.tell({ type: 'begin', ...begin });
    const from = performance.now();
    const end = (version: number | null, error: CallError | null): void =>
      this.tell({ type: 'end', kind, shadow, n, ms: Math.round(performance.now() - from), version, error });
    const ended = call().then(
      (value) => {
        const { version } = (value ?? {}) as { version?: number };
        end(version ?? null, null);
        return value;
      },
      (error: unknown) => {
        end(null, told(error));
        return undefined;
      },
    );
    this.#open.add(ended);
    return ended.finally(() => this.#open.delete(ended));
  }

  /** Waits for all calls that are under way. */
  async ended(): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open);
  }
}

function told(error: unknown): CallError {
  const { name, code = '', status = null, outcome = '' } = error as Error & Partial<CallError>;
  return { isForeign: name !== 'UmbraError', code: name === 'UmbraError' ? code : String(error), status, outcome };
}
