import type { ShadowKey } from './shadow-store.js';

/** A shadow that a door asks for again and again: it keeps the name that the store has for it. A copy has the key alone. */
export class KnownShadow implements ShadowKey {
  #storedName: string | null = null;

  constructor(
    readonly tenant: string,
    readonly thing: string,
    readonly name: string | null,
  ) {}

  /** Made by the store when it first needs it; null: not yet. A door serves one store. */
  get storedName(): string | null {
    return this.#storedName;
  }

  set storedName(storedName: string | null) {
    this.#storedName = storedName;
  }
}
