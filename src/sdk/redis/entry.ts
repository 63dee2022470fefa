import type { AnyState } from '../shadow/state.js';
import type { ChangeData } from '../watch/change.js';
import type { Place } from './mark.js';

interface Head extends Place {
  /** Names the change: the same for each of its repetitions. */
  readonly id: string;
  readonly tenant: string;
  readonly thing: string;
  /** Of the shadow; of presence its epoch. */
  readonly version: number;
}

export interface ShadowEntry<T = AnyState> extends Head {
  readonly kind: 'updated' | 'deleted';
  /** null: the classic shadow. */
  readonly shadow: string | null;
  readonly event: ChangeData<T>;
}

export interface PresenceEntry extends Head {
  readonly kind: 'presence';
  readonly shadow: null;
  /** As streams send it. */
  readonly event: Readonly<Record<string, unknown>>;
}

/** What the sink has written about one change. */
export type Entry<T = AnyState> = ShadowEntry<T> | PresenceEntry;

/** An entry as Redis gives it. */
export interface RawEntry {
  readonly entry: string;
  readonly fields: readonly string[];
}

/** null: no sink has written it. No errors. */
export function entryOf<T>({ entry, fields }: RawEntry): Entry<T> | null {
  const named = fieldsOf(fields);
  const [, , revision, epoch = 0] =
    /^([^/]+\/[^/]+\/[^/]*)\/(\d{1,16})(?:\.(\d{1,16}))?$/.exec(named.get('id') ?? '') ?? [];
  const kind = named.get('kind');
  const event = eventOf(named.get('event'));
  if (revision === undefined || event === null) return null;
  if (kind !== 'updated' && kind !== 'deleted' && kind !== 'presence') return null;
  const text = (name: string): string => named.get(name) ?? '';
  const head = {
    entry,
    id: text('id'),
    revision: Number(revision),
    epoch: Number(epoch),
    version: Number(text('version')),
  };
  const key = { tenant: text('tenant'), thing: text('thing'), shadow: text('shadow') || null };
  return { ...head, ...key, kind, event } as Entry<T>;
}

/** Names the shadow, or the client of a thing, whose changes are in one order. No errors. */
export const orderOf = ({ id }: { readonly id: string }): string => id.slice(0, id.lastIndexOf('/'));

function fieldsOf(fields: readonly string[]): ReadonlyMap<string, string> {
  const named = new Map<string, string>();
  for (let i = 0; i + 1 < fields.length; i += 2) named.set(fields[i]!, fields[i + 1]!);
  return named;
}

function eventOf(text = ''): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
