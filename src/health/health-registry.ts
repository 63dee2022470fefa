import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../resilience/clock.js';
import type { Health, HealthParts } from '../telemetry/health.js';
import { reasonOf } from '../telemetry/reason.js';
import { VERSION } from '../telemetry/version.js';

export interface PartReport extends Health {
  /** ISO 8601: when a report first found this state. A part is checked only for reports. */
  readonly since: string;
}

export interface HealthReport {
  readonly ready: boolean;
  readonly version: string;
  readonly parts: Readonly<Record<string, PartReport>>;
}

/** The parts that the readiness of this node depends on. Each part has its own check. */
@Injectable()
export class HealthRegistry implements HealthParts {
  readonly #checks = new Map<string, () => Health>();
  readonly #seen = new Map<string, { ok: boolean; since: string }>();
  #draining = false;

  constructor(@Inject(CLOCK) private readonly clock: Clock) {
    this.register('draining', () =>
      this.#draining ? { ok: false, reason: 'the node is shutting down' } : { ok: true, reason: 'not draining' },
    );
  }

  register(name: string, check: () => Health): void {
    if (this.#checks.has(name)) throw new Error(`health part ${name} is registered twice`);
    this.#checks.set(name, check);
    this.#look(name, check);
  }

  /** Makes the node not ready for good. A shutdown begins with it. */
  drain(): void {
    this.#draining = true;
  }

  report(): HealthReport {
    const parts = [...this.#checks].map(([name, check]) => [name, this.#look(name, check)] as const);
    return { ready: parts.every(([, { ok }]) => ok), version: VERSION, parts: Object.fromEntries(parts) };
  }

  #look(name: string, check: () => Health): PartReport {
    const health = ask(check);
    const { ok } = health;
    let seen = this.#seen.get(name);
    if (seen?.ok !== ok) {
      seen = { ok, since: new Date(this.clock.now()).toISOString() };
      this.#seen.set(name, seen);
    }
    return { ...health, since: seen.since };
  }
}

/** A check that throws counts as failed; the others still run. */
function ask(check: () => Health): Health {
  try {
    return check();
  } catch (error) {
    return { ok: false, reason: `the check failed: ${reasonOf(error)}` };
  }
}
