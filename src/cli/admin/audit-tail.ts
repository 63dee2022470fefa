import type { Query, Umbra } from '../../sdk/index.js';
import type { Since } from '../commands/audit.js';
import { isUmbraError } from '../exit-code.js';
import type { Cell, Style } from '../output.js';
import type { Run, Session } from '../session.js';

/** An event as the service shows it. */
interface AuditEvent {
  readonly time: string;
  readonly action: string;
  /** null: the caller is not known. */
  readonly actor: { readonly id: string; readonly tenant: string } | null;
  readonly target: string;
  readonly address: string;
  readonly outcome: 'done' | 'refused' | 'failed';
  readonly code: string | null;
  /** How often it happened. */
  readonly count: number;
}

interface Page {
  readonly events: readonly AuditEvent[];
  /** Where to go on, also at the end. */
  readonly next: string;
  /** Each has its own events. */
  readonly node: string;
}

interface Given {
  readonly since?: Since;
  readonly follow: boolean;
  readonly actor?: string;
  readonly action?: string;
  readonly target?: string;
  readonly outcome?: string;
  readonly count?: number;
}

/** Events of a page; a node gives no more. */
const LIMIT = 100;
/** Milliseconds between looks when there is nothing new. */
const LOOK_MS = 1_000;
/** Longest pause after errors, and the time after the last answer at which the command ends. */
const LONGEST_PAUSE_MS = 30_000;
const GIVE_UP_MS = 600_000;

/** Prints events as they come. @throws CliError, UmbraError */
export const tail: Run = async (session, _, options) => {
  const given = options as unknown as Given;
  const umbra = await session.umbra();
  const { around, out } = session;
  let left = given.count ?? Infinity;
  for await (const { event, node } of new AuditReader(session, umbra, given).events()) {
    await out.lines({ ...event, node }, [lineOf(event)]);
    if (--left === 0 || out.isGone || around.signal.aborted) return;
  }
};

const STYLES: Readonly<Partial<Record<AuditEvent['outcome'], Style>>> = { refused: 'red', failed: 'yellow' };

function lineOf({ time, outcome, code, action, actor, target, address, count }: AuditEvent): string | Cell {
  const parts = [time, outcome.padEnd(7), code, action, actor?.id ?? '(unknown)', target, address || null];
  const text = [...parts, count > 1 ? `${count} times` : null].filter((part) => part !== null).join('  ');
  const style = STYLES[outcome];
  return style === undefined ? text : { text, style };
}

/** What of a node has been printed last. */
interface Reached {
  readonly timeMs: number;
  /** Events of that very millisecond. */
  readonly events: Set<string>;
}

/** Reads the events of whichever node answers, page by page, and goes on after errors that pass. */
class AuditReader {
  readonly #filter: Query;
  readonly #reached = new Map<string, Reached>();
  #after: string | undefined;
  /** Epoch milliseconds; what was before is not wanted. */
  #sinceMs = -Infinity;
  /** The same, of a node that has told nothing yet when a cursor is lost. */
  #startMs = -Infinity;
  /** Whether a node tells again what it has told already, since the cursor was lost. */
  #isAgain = false;
  /** Milliseconds by which the clock of the node is ahead. */
  #aheadMs = 0;
  #failures = 0;
  #lastAnswer = 0;

  constructor(
    private readonly session: Session,
    private readonly umbra: Umbra,
    private readonly given: Given,
  ) {
    const { actor, action, target, outcome } = given;
    this.#filter = { actor, action, target, outcome };
  }

  /** @throws UmbraError */
  async *events(): AsyncGenerator<{ readonly event: AuditEvent; readonly node: string }, void, undefined> {
    const { signal, pause } = this.session.around;
    const { follow } = this.given;
    await this.#begin();
    for (;;) {
      const page = await this.#page();
      if (signal.aborted) return;
      if (page !== null)
        for (const event of page.events) if (this.#isNew(event, page.node)) yield { event, node: page.node };
      if (page !== null && page.events.length === LIMIT) continue;
      if (page !== null) this.#isAgain = false;
      if (page !== null && !follow) return;
      await pause(page === null ? this.#pauseMs : LOOK_MS);
      if (signal.aborted) return;
    }
  }

  /** Where to begin. An error here is told at once: nothing has worked yet. */
  async #begin(): Promise<void> {
    const { since, follow } = this.given;
    // Without a page before, a page with nothing in it tells where the end is. No event has this action.
    const { next } = await this.#ask({ limit: 1, action: 'none' });
    if (since !== undefined) this.#sinceMs = 'at' in since ? since.at : this.#now() - since.ago * 1_000;
    else if (follow) [this.#after, this.#startMs] = [next, this.#now()];
  }

  /** The time of the node, with which it stamps events. */
  #now(): number {
    return Date.now() + this.#aheadMs;
  }

  /** The next page; null if it has to be asked for again. */
  async #page(): Promise<Page | null> {
    try {
      const page = await this.#ask({ limit: LIMIT, after: this.#after, ...this.#filter });
      this.#after = page.next;
      this.#failures = 0;
      return page;
    } catch (error) {
      if (this.session.around.signal.aborted) return null;
      if (!isUmbraError(error)) throw error;
      const isGone = error.code === 'cursor-gone' && this.#after !== undefined;
      const mayPass = isGone || (error.retryable && Date.now() - this.#lastAnswer < GIVE_UP_MS);
      if (!mayPass) throw error;
      if (isGone) [this.#after, this.#isAgain] = [undefined, true];
      if (isGone || this.#failures === 0) await this.session.warn(error.code, warningOf(error.message, isGone));
      this.#failures++;
      return null;
    }
  }

  get #pauseMs(): number {
    return Math.min(LOOK_MS * 2 ** (this.#failures - 1), LONGEST_PAUSE_MS);
  }

  async #ask(query: Query): Promise<Page> {
    const { signal } = this.session.around;
    const { text, headers } = await this.umbra.call({ name: 'audit', path: '/v1/audit', query, signal });
    this.#lastAnswer = Date.now();
    const theirs = Date.parse(headers.get('date') ?? '');
    // The header has whole seconds.
    const aheadMs = theirs - this.#lastAnswer;
    this.#aheadMs = Number.isNaN(theirs) || Math.abs(aheadMs) < 2_000 ? 0 : aheadMs;
    return JSON.parse(text) as Page;
  }

  /** Whether it is wanted, and has not been told. */
  #isNew(event: AuditEvent, node: string): boolean {
    const timeMs = Date.parse(event.time);
    if (timeMs < this.#sinceMs) return false;
    const reached = this.#reached.get(node);
    const text = JSON.stringify(event);
    if (this.#isAgain) {
      if (timeMs < (reached?.timeMs ?? this.#startMs)) return false;
      if (timeMs === reached?.timeMs && reached.events.has(text)) return false;
    }
    const events = reached?.timeMs === timeMs ? reached.events : new Set<string>();
    this.#reached.set(node, { timeMs, events: events.add(text) });
    return true;
  }
}

const warningOf = (message: string, isGone: boolean): string =>
  isGone ? `${message}; events may be missing` : `${message}; trying again`;
