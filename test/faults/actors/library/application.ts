import { setTimeout as pause } from 'node:timers/promises';
import type { AnyState, Shadow, Umbra } from '../../../../src/sdk/index.js';
import type { CallKind } from '../../model/client-history.js';
import { shadowId } from '../../model/history.js';
import type { Random } from '../../plans/random.js';
import type { Calls } from './calls.js';

interface Desired extends AnyState {
  desired: { target?: number; count?: number };
}

interface Parts {
  readonly umbra: Umbra;
  readonly calls: Calls;
  readonly signal: AbortSignal;
  readonly random: Random;
}

/** Milliseconds between two requests. */
const BETWEEN_MS = [100, 1_600] as const;
const LIMITS_MS = [2_000, 8_000, 30_000] as const;

/** Changes what is desired of one shadow, by the REST part of the library. */
export class Application {
  readonly #shadow: Shadow<Desired>;
  readonly #id: string;
  readonly #numbers = new Map<CallKind, number>();
  readonly #stop = new AbortController();

  constructor(
    thing: string,
    name: string | null,
    private readonly parts: Parts,
  ) {
    const { umbra } = parts;
    this.#shadow = name === null ? umbra.thing(thing).shadow<Desired>() : umbra.thing(thing).shadow<Desired>(name);
    this.#id = shadowId(thing, name);
  }

  start(): void {
    void this.#work();
  }

  rest(): void {
    this.#stop.abort();
  }

  async #work(): Promise<void> {
    const { random } = this.parts;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#one(random.next());
      await pause(random.int(...BETWEEN_MS), undefined, { signal }).catch(() => undefined);
    }
  }

  async #one(dice: number): Promise<void> {
    const shadow = this.#shadow;
    if (dice < 0.6)
      await this.#call('desire', (n, options) =>
        shadow.desired.patch({ target: n }, { ...options, clientToken: `d${n}` }),
      );
    else if (dice < 0.8)
      await this.#call('increment', (_, options) =>
        shadow.update(({ desired }) => ({ desired: { count: (desired.count ?? 0) + 1 } }), options),
      );
    else if (dice < 0.9) await this.#call('read', (_, options) => shadow.get(options));
    else if (dice < 0.98) await this.#call('converge', (_, options) => shadow.converged(options));
    else await this.#call('delete', (_, options) => shadow.delete(options));
  }

  async #call<T>(
    kind: CallKind,
    call: (n: number, options: { timeoutMs: number; signal: AbortSignal }) => Promise<T>,
  ): Promise<void> {
    const { calls, signal, random } = this.parts;
    const n = (this.#numbers.get(kind) ?? 0) + 1;
    this.#numbers.set(kind, n);
    const timeoutMs = random.pick(LIMITS_MS);
    await calls.run({ kind, shadow: this.#id, n, limitMs: timeoutMs, device: 0 }, () => call(n, { timeoutMs, signal }));
  }
}
