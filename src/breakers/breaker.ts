import { circuitBreaker, CircuitState, handleAll, isBrokenCircuitError, type CircuitBreakerPolicy } from 'cockatiel';
import type { Clock } from '../resilience/clock.js';
import type { Logger } from '../telemetry/logger.js';
import { reasonOf } from '../telemetry/reason.js';
import { BreakerOpen } from './breaker-open.js';
import type { BreakerState } from './breaker-state.js';
import { CallRecord } from './call-record.js';
import { OpenPause } from './open-pause.js';

/** Probes that a breaker may ask for. */
export const MAX_PROBES = 5;
/** Characters of a failure that are kept. */
const MAX_REASON = 300;

export interface BreakerOptions {
  readonly dependency: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Calls after a pause that must all succeed, 1 to 5, before it counts as closed; the first of them goes alone. */
  readonly probes?: number | undefined;
  /** Nodes on which the breaker of this dependency is open. It must not wait. */
  readonly peers?: () => readonly string[];
  /** Is called after each change of the state. It must not wait. */
  readonly onChange?: () => void;
  /** 0 to 1; tests fix it. */
  readonly random?: () => number;
}

/**
 * Stands before the calls to one dependency and refuses them while it fails. It decides from what it has seen itself;
 * a peer that is open only makes it quicker: one failure opens it then.
 */
export class Breaker {
  readonly #policy: CircuitBreakerPolicy;
  readonly #record: CallRecord;
  readonly #pause: OpenPause;
  readonly #probes: number;
  /** Probes that must still succeed. */
  #unproven = 0;
  #openedAt: number | null = null;
  #reason = 'it failed';

  /** @throws RangeError when `probes` is not 1 to 5 */
  constructor(private readonly options: BreakerOptions) {
    const { clock, probes = 1, random } = options;
    if (!Number.isInteger(probes) || probes < 1 || probes > MAX_PROBES) {
      throw new RangeError(`a breaker takes 1 to ${MAX_PROBES} probes, not ${probes}`);
    }
    this.#probes = probes;
    this.#record = new CallRecord(clock);
    this.#pause = new OpenPause(clock, random);
    this.#policy = circuitBreaker(handleAll, {
      halfOpenAfter: this.#pause,
      breaker: {
        state: null,
        success: (before) => this.#succeeded(before),
        failure: (before) => this.#failed(before),
      },
    });
    this.#policy.onStateChange((state) => this.#changed(state));
  }

  /**
   * Makes the call, or refuses it. While a probe is under way, other calls wait for its end. The call needs a deadline of
   * its own.
   * @throws BreakerOpen; whatever the call throws
   */
  readonly run = async <T>(call: () => Promise<T>): Promise<T> => {
    try {
      return await this.#policy.execute(() => this.#noted(call));
    } catch (error) {
      if (!isBrokenCircuitError(error)) throw error;
      throw new BreakerOpen(this.options.dependency, this.#pause.leftMs, this.#reason);
    }
  };

  get state(): BreakerState {
    const { state } = this.#policy;
    const isClosed = state === CircuitState.Closed && this.#unproven === 0;
    return {
      state: isClosed ? 'closed' : state === CircuitState.Open ? 'open' : 'half-open',
      failureCount: this.#record.inARow,
      openedAt: isClosed ? null : this.#openedAt,
    };
  }

  /** In an operator's words. */
  get reason(): string {
    const { state, failureCount } = this.state;
    const peers = this.#peers();
    const elsewhere = peers.length > 0 ? `; open on ${peers.slice(0, 3).join(', ')}` : '';
    if (state === 'closed') return `closed${elsewhere}`;
    const left = Math.ceil(this.#pause.leftMs / 1000);
    const until =
      state === 'half-open' ? 'half-open' : left > 0 ? `open for another ${left} s` : 'open until the next call';
    return `${until}, ${failureCount} failures in a row, the last: ${this.#reason}${elsewhere}`;
  }

  /** A peer has found the dependency well: the next call probes. */
  peerClosed(): void {
    this.#pause.end();
  }

  async #noted<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      this.#reason = reasonOf(error).slice(0, MAX_REASON);
      throw error;
    }
  }

  #peers(): readonly string[] {
    return this.options.peers?.() ?? [];
  }

  /** @param before the state in which the call was begun */
  #succeeded(before: CircuitState): void {
    if (before === CircuitState.HalfOpen) {
      this.#record.clear();
      this.#unproven = this.#probes;
    }
    // The answer of a call that was begun before the breaker opened proves nothing.
    else if (this.#policy.state !== CircuitState.Closed) return;
    this.#record.succeeded();
    if (this.#unproven === 0) return;
    this.#unproven--;
    if (this.#unproven > 0) return;
    this.#pause.reset();
    // cockatiel tells of the end of the first probe itself.
    if (before === CircuitState.Closed) this.#closed();
  }

  #failed(before: CircuitState): boolean {
    // A call that was begun before the breaker opened must not end the probe that is under way.
    if (before === CircuitState.Closed && this.#policy.state !== CircuitState.Closed) return false;
    const isFailing = this.#record.failed();
    return isFailing || this.#unproven > 0 || this.#peers().length > 0;
  }

  #changed(state: CircuitState): void {
    const { dependency, logger } = this.options;
    if (state === CircuitState.Open) {
      this.#unproven = this.#probes;
      this.#openedAt = this.options.clock.now();
      const seconds = Math.ceil(this.#pause.leftMs / 1000);
      logger.warn({ dependency, seconds, reason: this.#reason }, 'a dependency fails, and is not asked for a while');
    }
    if (state === CircuitState.Closed && this.#unproven === 0) this.#closed();
    else this.options.onChange?.();
  }

  #closed(): void {
    const { dependency, logger, onChange } = this.options;
    logger.info({ dependency }, 'a dependency answers again');
    onChange?.();
  }
}
