import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { CLOCK, type Clock } from '../resilience/clock.js';
import type { Health, HealthParts } from '../telemetry/health.js';
import { reasonOf } from '../telemetry/reason.js';
import { VERSION } from '../telemetry/version.js';

export interface PartReport extends Health {
  /** ISO 8601: when a look first found this state. */
  readonly since: string;
}

export interface HealthReport {
  readonly ready: boolean;
  readonly version: string;
  readonly parts: Readonly<Record<string, PartReport>>;
}

/** How often a part that had been well was not. */
export interface PartFailures {
  /** Since the start of the node. */
  readonly count: number;
  /** The last one; null: there was none. */
  readonly last: {
    /** ISO 8601. */
    readonly at: string;
    readonly reason: string;
    /** Until the part was well again; null: it still is not. */
    readonly seconds: number | null;
  } | null;
}

const NO_FAILURES: PartFailures = { count: 0, last: null };
/** Milliseconds between two looks at all parts: what fails for a shorter time may go unseen. */
const LOOK_MS = 1_000;

interface Seen {
  readonly ok: boolean;
  readonly since: string;
  /** Epoch milliseconds. */
  readonly sinceMs: number;
}

/** The parts that the readiness of this node depends on. Each part has its own check. */
@Injectable()
export class HealthRegistry implements HealthParts, OnModuleInit, OnModuleDestroy {
  readonly #checks = new Map<string, () => Health>();
  readonly #seen = new Map<string, Seen>();
  readonly #failures = new Map<string, PartFailures>();
  #timer: NodeJS.Timeout | null = null;
  #draining = false;

  constructor(@Inject(CLOCK) private readonly clock: Clock) {
    this.register('draining', () =>
      this.#draining ? { ok: false, reason: 'the node is shutting down' } : { ok: true, reason: 'not draining' },
    );
  }

  /** Looks at all parts by itself from now on, so that failures are counted that nobody asks about. */
  onModuleInit(): void {
    this.#timer ??= setInterval(() => void this.report(), LOOK_MS).unref();
  }

  onModuleDestroy(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
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

  /** Failures of a part so far. What is not ready yet after the start has not failed. */
  failuresOf(name: string): PartFailures {
    return this.#failures.get(name) ?? NO_FAILURES;
  }

  #look(name: string, check: () => Health): PartReport {
    const health = ask(check);
    const before = this.#seen.get(name);
    if (before?.ok === health.ok) return { ...health, since: before.since };
    const sinceMs = this.clock.now();
    const seen = { ok: health.ok, since: new Date(sinceMs).toISOString(), sinceMs };
    this.#seen.set(name, seen);
    if (before) this.#count(name, before, seen, health.reason);
    return { ...health, since: seen.since };
  }

  #count(name: string, before: Seen, { ok, since, sinceMs }: Seen, reason: string): void {
    const { count, last } = this.failuresOf(name);
    if (!ok) this.#failures.set(name, { count: count + 1, last: { at: since, reason, seconds: null } });
    else if (last !== null) {
      const seconds = Math.max(0, sinceMs - before.sinceMs) / 1000;
      this.#failures.set(name, { count, last: { ...last, seconds } });
    }
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
