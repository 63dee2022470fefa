import type { UmbraError } from '../umbra-error.js';
import { pauseAfter, type BackOff } from '../back-off.js';
import type { Platform } from '../platform.js';
import { pause } from '../within.js';
import type { DeltaRuns } from './delta-runs.js';
import type { Uplink } from './uplink.js';

/** What the service has of a shadow; null: there is none. */
export interface Present<D> {
  readonly version: number;
  readonly delta: D | null;
}

export interface SourceParts<D> {
  readonly uplink: Uplink;
  readonly platform: Platform;
  readonly retry: BackOff;
  /** Subscribes to the messages of this source. @throws UmbraError */
  readonly subscribe: () => Promise<unknown>;
  /** Asks once. @throws UmbraError */
  readonly ask: () => Promise<Present<D> | null>;
  /** Waits for what was reported without a connection: the delta would be of before it. */
  readonly reported: () => Promise<void>;
}

/**
 * Brings deltas in their order, without those that a newer state has overtaken. After each connection it asks for the
 * present delta, since those of meanwhile may be lost, or kept by a session though they are old.
 */
export class DeltaSource<D> {
  readonly #parts: SourceParts<D>;
  /** Undefined: no handler. */
  #runs: Pick<DeltaRuns<D, never>, 'offer' | 'gone' | 'present'> | undefined;
  #isAsking = false;
  /** What came while it asked. */
  #held: { readonly version: number; readonly delta: D } | null = null;
  #asking: AbortController | null = null;

  constructor(parts: SourceParts<D>) {
    this.#parts = parts;
    parts.uplink.on('up', () => this.#ask());
    parts.uplink.on('down', () => this.#asking?.abort());
  }

  /** From now on deltas go there; undefined: nowhere. */
  set runs(runs: Pick<DeltaRuns<D, never>, 'offer' | 'gone' | 'present'> | undefined) {
    this.#runs = runs;
    this.#asking?.abort();
    this.#ask();
  }

  /** A message on `delta`. No errors. */
  delta(version: number, delta: D): void {
    if (!this.#isAsking) this.#runs?.offer(version, delta);
    else if (version > (this.#held?.version ?? 0)) this.#held = { version, delta };
  }

  /** An update was accepted. Its delta, if it left one, has come before this message. No errors. */
  accepted(version: number): void {
    if (!this.#isAsking) this.#runs?.gone(version);
    else if (version > (this.#held?.version ?? 0)) this.#held = null;
  }

  #ask(): void {
    if (!this.#runs) return;
    this.#isAsking = true;
    this.#held = null;
    if (!this.#parts.uplink.isUp) return;
    const control = new AbortController();
    this.#asking = control;
    this.#untilTold(control.signal).catch((error: unknown) =>
      this.#parts.platform.logger.error({ error }, 'the present delta cannot be had'),
    );
  }

  async #untilTold(signal: AbortSignal): Promise<void> {
    const { platform, retry, uplink } = this.#parts;
    for (let failures = 0; !signal.aborted && uplink.isUp;) {
      try {
        if (await this.#tell(signal)) return;
        continue;
      } catch (error) {
        const { retryable, code } = error as UmbraError;
        if (!retryable && !signal.aborted) {
          platform.logger.error({ code }, 'the present delta is refused; deltas come as they are sent');
          return this.#told();
        }
      }
      const ms = pauseAfter(++failures, retry, platform.random());
      await pause(platform.clock, ms, signal, 'the present delta').catch(() => undefined);
    }
  }

  /** False: it has to ask again. @throws UmbraError */
  async #tell(signal: AbortSignal): Promise<boolean> {
    const { subscribe, ask, reported } = this.#parts;
    await subscribe();
    await reported();
    const present = await ask();
    if (signal.aborted) return true;
    const held = this.#held;
    if (present === null && held !== null) {
      // Of a shadow that was deleted, or of one that is new since.
      this.#held = null;
      return false;
    }
    this.#runs?.present(present?.version ?? 0, present?.delta ?? null);
    this.#told();
    return true;
  }

  /** What came while it asked is newer, or is dropped. */
  #told(): void {
    const held = this.#held;
    [this.#isAsking, this.#held, this.#asking] = [false, null, null];
    if (held) this.#runs?.offer(held.version, held.delta);
  }
}
