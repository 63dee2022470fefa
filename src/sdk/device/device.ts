// So that programs whose `lib` has no asyncDispose can still read the types.
/// <reference lib="esnext.disposable" preserve="true" />
import type { AnyState } from '../shadow/state.js';
import { clientError, type UmbraError } from '../umbra-error.js';
import { within } from '../within.js';
import { DeviceShadow, type ShadowParts } from './device-shadow.js';
import type { UplinkEvents } from './uplink.js';

/** Milliseconds in which reports that wait may still be sent when a device is closed. */
const FLUSH_MS = 5_000;

/** A device with its shadows, over one connection after another. */
export class Device<T = AnyState> {
  /** The classic shadow. */
  readonly shadow: DeviceShadow<T>;
  readonly #parts: Omit<ShadowParts, 'name'>;
  readonly #named = new Map<string, DeviceShadow<AnyState>>();
  #closing: Promise<void> | null = null;

  /** @internal */
  constructor(parts: Omit<ShadowParts, 'name'>) {
    this.#parts = parts;
    this.shadow = new DeviceShadow<T>({ ...parts, name: null });
  }

  get thing(): string {
    return this.#parts.thing;
  }

  get connected(): boolean {
    return this.#parts.uplink.isUp;
  }

  /** Why there is no connection; null: there is one. */
  get error(): UmbraError | null {
    return this.#parts.uplink.error;
  }

  /**
   * A named shadow; the same one for the same name.
   * @throws UmbraError invalid-argument for a name that no shadow has
   */
  named<N = AnyState>(name: string): DeviceShadow<N> {
    if (!isName(name, 64)) throw clientError('invalid-argument', NAMES);
    const found = this.#named.get(name) ?? new DeviceShadow<AnyState>({ ...this.#parts, name });
    this.#named.set(name, found);
    return found as unknown as DeviceShadow<N>;
  }

  /** `up`: a connection is there; `down`: it was lost, with the reason. What it returns ends it. */
  on<E extends keyof UplinkEvents>(event: E, listener: UplinkEvents[E]): () => void {
    return this.#parts.uplink.on(event, listener);
  }

  /**
   * Ends the handler, sends for at most five seconds what still waits, and leaves. Reports that are left end with
   * `closed`; an outbox keeps them. No errors.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const { uplink, platform } = this.#parts;
    const shadows = [this.shadow, ...this.#named.values()];
    for (const shadow of shadows) shadow.close();
    if (uplink.isUp) {
      const limit = { clock: platform.clock, ms: FLUSH_MS, what: 'the last reports' };
      await within(limit, (signal) => Promise.all(shadows.map((shadow) => shadow.idle(signal)))).catch(() => undefined);
    }
    await uplink.close();
    const limit = { clock: platform.clock, ms: FLUSH_MS, what: 'the outbox' };
    await within(limit, () => Promise.all(shadows.map((shadow) => shadow.saved()))).catch(() => undefined);
  }
}

/** Why a name is refused, and what to change. */
export const NAMES = 'a name has 1 to 128 (of a shadow: 64) characters of a-z, A-Z, 0-9, colon, underscore, hyphen';

/** Names with other characters would be other topics. No errors. */
export const isName = (name: string, max: number): boolean => name.length <= max && /^[a-zA-Z0-9:_-]+$/.test(name);
