import type { RouteListsRecord } from '../directory/records/route-lists-record.js';
import type { RouteLists } from './route-lists.openapi.js';

/** @param record null: there are none. No errors. */
export function routeListsView(record: RouteListsRecord | null): RouteLists {
  const listeners: RouteLists['listeners'] = {};
  for (const [name, { allow, deny }] of record?.listeners ?? [])
    listeners[name] = { allow: allow === null ? null : [...allow], deny: [...deny] };
  return { listeners };
}
