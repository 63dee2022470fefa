import { GRPC_LISTENERS, HTTP_LISTENERS, type HttpListener } from '../access/route-guard.js';
import { recordOf, refuseOwn } from '../directory/record-of.js';
import type { RouteListsRecord } from '../directory/records/route-lists-record.js';
import { ServiceError } from '../errors/service-error.js';
import { CompiledLists, EVERY_LISTENER } from './compiled-lists.js';
import { RoutePatternFault } from './route-pattern.js';

const OWN_ROUTE = '/v1/route-lists';
const LISTENERS: readonly string[] = [...HTTP_LISTENERS, ...GRPC_LISTENERS, EVERY_LISTENER];

/**
 * The record of what was sent, in which every pattern can match, and which its editor can take back.
 * @param listener over which the editor came
 * @throws ServiceError invalidRequest
 */
export function checkedLists(members: Readonly<Record<string, unknown>>, listener: HttpListener): RouteListsRecord {
  refuseOwn(members, ['format']);
  const record = recordOf('routeLists', [], { ...members, listeners: completed(members['listeners']) });
  // A list under another name would never be asked, and close nothing.
  const unknown = [...record.listeners.keys()].find((name) => !LISTENERS.includes(name));
  if (unknown !== undefined) throw refused(`There is no listener ${unknown}; there are ${LISTENERS.join(', ')}`);
  const lists = compiled(record);
  for (const method of ['GET', 'PUT', 'DELETE']) {
    if (lists.admits(listener, method, OWN_ROUTE)) continue;
    throw refused(
      `This would close ${method} ${OWN_ROUTE} on the listener ${listener}, over which it came, and could not be taken back`,
    );
  }
  return record;
}

/** What a list does not say: everything is allowed, nothing denied. Anything else is for the record to refuse. */
function completed(listeners: unknown): unknown {
  if (typeof listeners !== 'object' || listeners === null || Array.isArray(listeners)) return listeners;
  const isList = (list: unknown): list is object => typeof list === 'object' && list !== null && !Array.isArray(list);
  const entries = Object.entries(listeners).map(([name, list]: [string, unknown]) => [
    name,
    isList(list) ? { allow: null, deny: [], ...list } : list,
  ]);
  return Object.fromEntries(entries);
}

function compiled(record: RouteListsRecord): CompiledLists {
  try {
    return new CompiledLists(record);
  } catch (error) {
    if (error instanceof RoutePatternFault) throw refused(error.message);
    throw error;
  }
}

const refused = (detail: string): ServiceError => new ServiceError('invalidRequest', detail);
