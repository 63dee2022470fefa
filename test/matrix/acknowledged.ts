import type { Answer } from './open-column.js';

/** Milliseconds by which an honest age may be off: clocks tell whole ones. */
const SLACK_MS = 5;

interface Known {
  /** When the write was begun, and when it was acknowledged. */
  readonly from: number;
  readonly to: number;
}

/** What is known of a read; milliseconds of the monotonic clock. */
export interface ReadTimes {
  /** The newest version that was acknowledged before it began. */
  readonly newest: number;
  readonly from: number;
  readonly to: number;
}

export interface ReadVerdict {
  /** Milliseconds since the oldest write that it lacks was acknowledged; null: it lacks none. */
  readonly staleMs: number | null;
  /** The age that it told cannot be: the lab knows when that version was begun and when it was acknowledged. */
  readonly isAgeWrong: boolean;
}

/** Times of each version of each shadow: what a read that begins later must know, and how old it is. */
export class Acknowledged {
  readonly #shadows: Known[][];

  constructor(shadows: number) {
    this.#shadows = Array.from({ length: shadows }, () => []);
  }

  note(shadow: number, version: number, from: number, to: number): void {
    const known = this.#shadows[shadow] as Known[];
    known[version] ??= { from, to };
  }

  newest(shadow: number): number {
    return (this.#shadows[shadow]?.length ?? 1) - 1;
  }

  /** No errors. */
  judge(shadow: number, { told, ageMs }: Answer, { newest, from, to }: ReadTimes): ReadVerdict {
    const known = this.#shadows[shadow] ?? [];
    const version = told?.version ?? 0;
    const written = known[version];
    // Of a write that is still under way nothing is known.
    const isAgeWrong =
      ageMs !== null && written !== undefined && !within(ageMs, from - written.to, to - written.from, SLACK_MS);
    if (version >= newest) return { staleMs: null, isAgeWrong };
    const lacking = known.slice(version + 1).flatMap((each) => (each ? [each.to] : []));
    return { staleMs: from - Math.min(from, ...lacking), isAgeWrong };
  }
}

const within = (value: number, least: number, most: number, slack: number): boolean =>
  value >= Math.max(0, least) - slack && value <= most + slack;
