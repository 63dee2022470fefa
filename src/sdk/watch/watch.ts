import type { Caller } from '../call/caller.js';
import type { AnyState } from '../shadow/state.js';
import type { Change } from './change.js';
import { ChangeStream, type ReloadReason, type StreamEvent, type StreamOptions } from './change-stream.js';
import type { Cursor } from './cursor.js';
import type { Source } from './filter.js';

export interface WatchOptions extends Omit<StreamOptions, 'cursor'> {
  /**
   * Where to begin: behind the cursor of a change, or where the kept cursor says. A kept one is saved when the body of
   * the loop has returned, so a change that was being handled when the process died comes again.
   */
  readonly cursor?: string | Cursor | undefined;
  /** Ends the stream, and the loop without an error. */
  readonly signal?: AbortSignal | undefined;
  /**
   * With `initial`: the present state comes, from its beginning. Forget what came of it so far (`cut-off`), or
   * everything: the changes since the cursor are lost.
   */
  readonly onReload?: ((reason: ReloadReason | 'cut-off') => void) | undefined;
}

/**
 * The changes of a stream, one after the other. Leaving the loop closes the connection.
 * @throws UmbraError as `ChangeStream.events` does; what the cursor throws
 */
export async function* watched<T = AnyState>(
  caller: Caller,
  source: Source,
  { cursor, signal, onReload, ...options }: WatchOptions,
): AsyncGenerator<Change<T>, void, undefined> {
  const kept = typeof cursor === 'object' ? cursor : null;
  const start = kept === null ? (cursor as string | undefined) : await kept.load();
  const never = new AbortController().signal;
  const stream = new ChangeStream(caller, source, { ...options, cursor: start, signal: signal ?? never });
  for await (const event of stream.events()) {
    if (event.type === 'reload') onReload?.(event.reason ?? 'cut-off');
    const change = changeOf<T>(event);
    if (change !== null) yield change;
    if ('id' in event) await kept?.save(event.id);
  }
}

function changeOf<T>(event: StreamEvent): Change<T> | null {
  if (event.type !== 'change' && event.type !== 'initial') return null;
  const isInitial = event.type === 'initial';
  return { ...event.data, isInitial, cursor: isInitial ? null : event.id } as Change<T>;
}
