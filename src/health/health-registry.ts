import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../resilience/clock.js';

export interface PartHealth {
  readonly ok: boolean;
  /** In words that an operator understands. */
  readonly reason: string;
}

export interface PartReport extends PartHealth {
  /** ISO 8601: when it was first seen to be as it is now. It is looked at when somebody asks, not in between. */
  readonly since: string;
}

export interface HealthReport {
  readonly ready: boolean;
  readonly parts: Readonly<Record<string, PartReport>>;
}

/** What the readiness of this node depends on. Each part says itself how it is. */
@Injectable()
export class HealthRegistry {
  readonly #checks = new Map<string, () => PartHealth>();
  readonly #seen = new Map<string, { ok: boolean; since: string }>();
  #draining = false;

  constructor(@Inject(CLOCK) private readonly clock: Clock) {
    this.register('draining', () =>
      this.#draining ? { ok: false, reason: 'the node is shutting down' } : { ok: true, reason: 'not draining' },
    );
  }

  /** @throws Error when the name is taken */
  register(name: string, check: () => PartHealth): void {
    if (this.#checks.has(name)) throw new Error(`health part ${name} is registered twice`);
    this.#checks.set(name, check);
    this.#look(name, check);
  }

  /** The node is not ready from here on; the first thing that a shutdown does. */
  drain(): void {
    this.#draining = true;
  }

  report(): HealthReport {
    const parts = [...this.#checks].map(([name, check]) => [name, this.#look(name, check)] as const);
    return { ready: parts.every(([, { ok }]) => ok), parts: Object.fromEntries(parts) };
  }

  #look(name: string, check: () => PartHealth): PartReport {
    const { ok, reason } = ask(check);
    let seen = this.#seen.get(name);
    if (seen?.ok !== ok) {
      seen = { ok, since: new Date(this.clock.now()).toISOString() };
      this.#seen.set(name, seen);
    }
    return { ok, reason, since: seen.since };
  }
}

/** A part that cannot even say how it is, is not well; the others are still told. */
function ask(check: () => PartHealth): PartHealth {
  try {
    return check();
  } catch (error) {
    return { ok: false, reason: `the check failed: ${error instanceof Error ? error.message : String(error)}` };
  }
}
