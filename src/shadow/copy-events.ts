import type { ShadowEvent, Visit } from '../watch/subscription.js';
import type { EventDetail, PermittedWatch } from './watch.js';

/** Milliseconds after which a stream that leaves changes out says how far it is: its cursor must not be compacted. */
const SKIPPED_MS = 1_000;

/** The first event of a watch, asked for to learn whether there is one. */
export type FirstEvent = Promise<IteratorResult<ShadowEvent, unknown>>;

/** A stream that has begun. What carried its request may go: it would take memory for as long as the stream lasts. */
export interface BegunStream {
  /** @throws an error of the node */
  readonly over: Promise<void>;
}

/** The way to a reader. */
export interface EventWriter {
  /** Asked before an event is taken, which waits in the bounded queue until then. False: it takes no more. */
  ready(): boolean | Promise<boolean>;
  /** False: it takes no more. A promise only where the reader must be waited for. */
  write(event: ShadowEvent, detail: EventDetail): boolean | Promise<boolean>;
}

/**
 * Writes what the watch shows, and now and then a bookmark in place of what it does not. Resolves with true when the events
 * ended, with false when the writer takes no more.
 * @param first the first event, where it was asked for before
 * @throws what the writer throws
 */
export async function copyEvents(watch: PermittedWatch, writer: EventWriter, first?: FirstEvent): Promise<boolean> {
  const visit = visitOf(watch, writer);
  if (!(await writer.ready())) return false;
  const begun = await first;
  if (begun?.done) return true;
  if (begun && !(await visit(begun.value))) return false;
  return watch.each(visit);
}

function visitOf(watch: PermittedWatch, writer: EventWriter): Visit {
  let skippedSince: number | null = null;
  const write = (event: ShadowEvent, detail: EventDetail | null): boolean | Promise<boolean> => {
    const shown = detail ? event : bookmarkFor(event, (skippedSince ??= performance.now()));
    if (shown === null) return true;
    skippedSince = null;
    const written = writer.write(shown, detail ?? {});
    if (written instanceof Promise) return written.then((isOpen) => isOpen && writer.ready());
    return written && writer.ready();
  };
  return (event) => {
    const asked = watch.shows(event) ? watch.detail(event) : null;
    return asked instanceof Promise ? asked.then((detail) => write(event, detail)) : write(event, asked);
  };
}

/** Of a change that is left out: the stream is not idle, so no other bookmark comes. */
function bookmarkFor(event: ShadowEvent, since: number): ShadowEvent | null {
  const isLate = event.kind === 'change' && performance.now() - since > SKIPPED_MS;
  return isLate ? { kind: 'bookmark', cursor: event.cursor } : null;
}
