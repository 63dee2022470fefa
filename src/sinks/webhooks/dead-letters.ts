import { setTimeout as pause } from 'node:timers/promises';
import { ServiceError } from '../../errors/service-error.js';
import { pauseAfter, type BackOffRange } from '../../resilience/back-off.js';
import type { ClusterKeys, Guard, Put, StoredKey } from '../../store/cluster-keys.js';
import { readLetter, writeLetter, type DeadLetter, type DeadLetterBox } from './dead-letter.js';

/** What one sink may leave lying in the store. */
export const MAX_LETTERS = 1_000;
export const MAX_LETTER_BYTES = 2 * 1024 * 1024;

/** Attempts of one change: another node may change the same sums. */
const ATTEMPTS = 20;
/** Milliseconds after an attempt that another node was faster than. */
const LOST: BackOffRange = { first: 5, longest: 200 };
/** Letters that one transaction takes out; etcd allows 128 operations. */
const BATCH = 40;
const LETTERS = 'dead-letters/letter/';
const SUMS = 'dead-letters/sums';

interface Sums {
  readonly letters: number;
  readonly bytes: number;
}

/** A letter as the store holds it. */
export interface StoredLetter {
  readonly letter: DeadLetter;
  readonly stored: StoredKey;
}

/**
 * The dead letters of one sink: `dead-letters/letter/{id}` below the keys of the sink, in the order of the revisions, until
 * somebody replays or deletes them. `dead-letters/sums` bounds them: both change in one transaction.
 */
export class DeadLetters implements DeadLetterBox {
  /** One change of this node after the other: they would only get in each other's way. */
  #turn: Promise<unknown> = Promise.resolve();

  /** @param keys of the sink alone */
  constructor(private readonly keys: ClusterKeys) {}

  add(letter: DeadLetter): Promise<boolean> {
    return this.#inTurn(() => this.#add(LETTERS + letter.id, writeLetter(letter)));
  }

  /**
   * All letters, the oldest revision first.
   * @throws ServiceError storageUnavailable, draining
   */
  async list(): Promise<readonly StoredLetter[]> {
    const found = [...(await this.keys.list(LETTERS))].sort(([a], [b]) => (a < b ? -1 : 1));
    return found.flatMap(([, stored]) => {
      const letter = readLetter(stored.value);
      return letter ? [{ letter, stored }] : [];
    });
  }

  /**
   * Takes letters out. One that was replaced meanwhile stays.
   * @throws ServiceError overloaded, storageUnavailable, storageFull, draining
   */
  async remove(letters: readonly StoredLetter[]): Promise<void> {
    for (let first = 0; first < letters.length; first += BATCH) {
      const batch = letters.slice(first, first + BATCH);
      await this.#inTurn(() => this.#remove(batch));
    }
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(change);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #add(key: string, text: string): Promise<boolean> {
    return this.#repeated(async () => {
      const sums = await this.keys.get(SUMS);
      if (await this.keys.get(key)) return true;
      const { letters, bytes } = readSums(sums);
      const next = { letters: letters + 1, bytes: bytes + Buffer.byteLength(text) };
      if (next.letters > MAX_LETTERS || next.bytes > MAX_LETTER_BYTES) return false;
      const committed = await this.keys.commit({
        guards: [guardOf(SUMS, sums), { key, value: null }],
        puts: [putOf(next), { key, value: text }],
      });
      return committed === null ? null : true;
    });
  }

  async #remove(batch: readonly StoredLetter[]): Promise<void> {
    let left = batch;
    await this.#repeated(async () => {
      if (left.length === 0) return true;
      const sums = await this.keys.get(SUMS);
      const { letters, bytes } = readSums(sums);
      const freed = left.reduce((sum, { stored }) => sum + Buffer.byteLength(stored.value), 0);
      const places = left.map(({ letter, stored }) => ({ key: LETTERS + letter.id, revision: stored.revision }));
      const committed = await this.keys.commit({
        guards: [guardOf(SUMS, sums), ...places],
        puts: [putOf({ letters: Math.max(0, letters - left.length), bytes: Math.max(0, bytes - freed) })],
        deletes: places.map(({ key }) => key),
      });
      if (committed !== null) return true;
      const present = await this.keys.list(LETTERS);
      left = left.filter(({ letter, stored }) => present.get(LETTERS + letter.id)?.revision === stored.revision);
      return null;
    });
  }

  /** Until an attempt gives something else than null. */
  async #repeated<T>(attempt: () => Promise<T | null>): Promise<T> {
    for (let attempts = 0; attempts < ATTEMPTS; attempts++) {
      const result = await attempt();
      if (result !== null) return result;
      await pause(pauseAfter(attempts, LOST));
    }
    throw new ServiceError('overloaded', 'the dead letters of this sink are being changed by others; try again');
  }
}

const guardOf = (key: string, stored: StoredKey | null): Guard =>
  stored ? { key, revision: stored.revision } : { key, value: null };

const putOf = (sums: Sums): Put => ({ key: SUMS, value: JSON.stringify(sums) });

/** Sums that cannot be read count as none: the letters stay, and the bound begins anew. */
function readSums(stored: StoredKey | null): Sums {
  try {
    const { letters, bytes } = JSON.parse(stored?.value ?? '{}') as Partial<Sums>;
    if (Number.isSafeInteger(letters) && Number.isSafeInteger(bytes)) return { letters, bytes } as Sums;
  } catch {
    // As missing.
  }
  return { letters: 0, bytes: 0 };
}
