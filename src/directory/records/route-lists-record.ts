import { LISTENER_NAME, ROUTE_PATTERN } from './record-names.js';
import { MAX_RECORD_BYTES, type RecordKind } from './record-kind.js';

/** What one listener lets through at all. */
export interface RouteList {
  /** Patterns of which one must match; null: everything that is not denied. */
  readonly allow: readonly string[] | null;
  readonly deny: readonly string[];
}

/** The one record `route-lists`. */
export interface RouteListsRecord {
  /** By name of the listener; `*` holds for every listener, besides its own. */
  readonly listeners: ReadonlyMap<string, RouteList>;
}

const MAX_LISTENERS = 32;
const MAX_PATTERNS = 500;

export const ROUTE_LISTS: RecordKind<RouteListsRecord> = {
  noun: 'set of route lists',
  folder: 'route-lists',
  parts: [],
  maxBytes: MAX_RECORD_BYTES,
  most: 1,
  read: (reader) => ({
    listeners: reader.entries('listeners', { rule: LISTENER_NAME, most: MAX_LISTENERS }, (owner, name) =>
      owner.object(name, (list) => ({
        allow: list.namesOrNull('allow', ROUTE_PATTERN, MAX_PATTERNS),
        deny: list.names('deny', ROUTE_PATTERN, MAX_PATTERNS),
      })),
    ),
  }),
  write: ({ listeners }) => ({ listeners: Object.fromEntries(listeners) }),
  closed: () => ({ listeners: new Map([['*', { allow: [], deny: ['* /**'] }]]) }),
};
