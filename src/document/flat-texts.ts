import type { JsonObject } from './shadow-document.js';

interface FlatText {
  readonly names: readonly string[];
  readonly seconds: number;
  readonly text: string;
}

const MAX_TEXTS = 8;
/** Characters of a text that is kept. */
const MAX_LENGTH = 4096;

/**
 * The metadata, as JSON, of objects of scalars that were set at one time: it depends on their names and the time alone.
 * Devices of one kind report the same members again and again, many of them in one second.
 */
export class FlatTexts {
  readonly #texts: FlatText[] = [];
  #oldest = 0;
  /** Names of the last object that was not found: only what comes twice is kept. */
  #seen: readonly string[] = [];

  /** The text of such an object; null: it is not one, or not known. No errors. @param seconds since the epoch */
  find(value: JsonObject, seconds: number): string | null {
    for (const known of this.#texts) if (known.seconds === seconds && isFlat(value, known.names)) return known.text;
    return null;
  }

  /** Keeps the text of an object that was not found, if it is worth it. No errors. @param seconds since the epoch */
  offer(value: JsonObject, seconds: number, text: string): void {
    if (!isFlat(value, this.#seen)) return void (this.#seen = Object.keys(value));
    if (text.length > MAX_LENGTH) return;
    // One flat string: pieces that are joined would be walked at each use.
    this.#texts[this.#oldest] = { names: this.#seen, seconds, text: Buffer.from(text).toString() };
    this.#oldest = (this.#oldest + 1) % MAX_TEXTS;
  }
}

/** Whether the members of the object are scalars of these names, in this order. */
function isFlat(value: JsonObject, names: readonly string[]): boolean {
  let at = 0;
  // A list of the names would cost as much as the comparison. A name too many, wherever it comes from, is no match.
  for (const name in value) {
    if (name !== names[at++]) return false;
    const member = value[name]!;
    if (typeof member === 'object' && member !== null) return false;
  }
  return at === names.length;
}
