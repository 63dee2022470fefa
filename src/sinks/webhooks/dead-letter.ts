import type { ShadowKey } from '../../store/shadow-store.js';

/** A message that an endpoint did not take, as it is stored. */
export interface DeadLetter {
  /** Of the message: a replay carries the same. */
  readonly id: string;
  readonly thing: string;
  /** null is the classic shadow. */
  readonly shadow: ShadowKey['name'];
  readonly version: number;
  readonly revision: number;
  /** Epoch milliseconds at which it was given up. */
  readonly at: number;
  /** Requests that were made for it. */
  readonly tries: number;
  /** Why the last one failed, in an operator's words. */
  readonly reason: string;
  readonly body: string;
}

/** Where a sink puts what it gives up. */
export interface DeadLetterBox {
  /**
   * Stores a letter, unless one of its id is there.
   * @returns false: the box is full
   * @throws ServiceError storageUnavailable, storageFull, overloaded, draining
   */
  add(letter: DeadLetter): Promise<boolean>;
}

/** No errors. */
export function writeLetter(letter: DeadLetter): string {
  return JSON.stringify(letter);
}

/** The letter of a record; null: it cannot be read. No errors. */
export function readLetter(text: string): DeadLetter | null {
  let parsed: Partial<DeadLetter> | null;
  try {
    parsed = JSON.parse(text) as Partial<DeadLetter> | null;
  } catch {
    return null;
  }
  const { id, thing, shadow, version, revision, at, tries, reason, body } = parsed ?? {};
  const isText = [id, thing, reason, body].every((value) => typeof value === 'string');
  const isNumber = [version, revision, at, tries].every((value) => Number.isSafeInteger(value));
  if (!isText || !isNumber || (shadow !== null && typeof shadow !== 'string')) return null;
  return { id, thing, shadow, version, revision, at, tries, reason, body } as DeadLetter;
}
