import { isObject } from '../document/json.js';
import type { Json } from '../document/shadow-document.js';

/** Events that may be granted and not sent yet. */
export const MAX_CREDIT = 1_000_000;

/** Events that a client is ready to take. */
export class Credit {
  #left: number;
  #isAbandoned = false;
  #wake: (() => void) | null = null;
  readonly isLimited: boolean;

  /** @param events of the start; null: any number, for ever */
  constructor(events: number | null) {
    this.#left = events ?? Infinity;
    this.isLimited = events !== null;
  }

  /** False, and nothing is granted: it would be more than MAX_CREDIT. No errors. */
  grant(events: number): boolean {
    if (this.#left + events > MAX_CREDIT) return false;
    this.#left += events;
    this.#wake?.();
    return true;
  }

  /** An event was sent. No errors. */
  spend(): void {
    this.#left--;
  }

  /** True as soon as an event may be sent; false once it is abandoned. For one caller at a time. No errors. */
  available(): boolean | Promise<boolean> {
    if (this.#isAbandoned) return false;
    if (this.#left > 0) return true;
    return new Promise<void>((resolve) => (this.#wake = resolve)).then(() => {
      this.#wake = null;
      return this.available();
    });
  }

  /** Ends the wait for it with false, because nothing more is sent. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#wake?.();
  }
}

/** The events that a message of a client grants, `{"type":"credit","events":n}`; else what is wrong with it. No errors. */
export function readGrant(text: string): number | string {
  let message: Json;
  try {
    message = JSON.parse(text) as Json;
  } catch {
    return 'a message was no JSON';
  }
  if (!isObject(message) || message['type'] !== 'credit') return 'the only type of message is credit';
  const { events } = message;
  if (typeof events === 'number' && Number.isInteger(events) && events >= 1 && events <= MAX_CREDIT) return events;
  return `events must be a whole number from 1 to ${MAX_CREDIT}`;
}
