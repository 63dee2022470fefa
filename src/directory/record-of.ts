import { ServiceError } from '../errors/service-error.js';
import { kindOf, type KindName, type RecordTypes } from './access-records.js';
import { checkNames, decodeRecord, RECORD_FORMAT } from './records/record-kind.js';
import { RecordFault } from './records/record-reader.js';

/**
 * The record that members of a request describe, checked as it will be when it is read from the store.
 * @throws ServiceError invalidRequest that names the member and what it must be
 */
export function recordOf<Name extends KindName>(
  kind: Name,
  names: readonly string[],
  members: object,
): RecordTypes[Name] {
  try {
    checkNames(kindOf(kind), names);
    return decodeRecord(kindOf(kind), names, JSON.stringify({ format: RECORD_FORMAT, ...members }));
  } catch (error) {
    if (error instanceof RecordFault) throw new ServiceError('invalidRequest', error.message);
    throw error;
  }
}

/**
 * Refuses members that only the service sets: whoever sends one would otherwise believe that it counts.
 * @throws ServiceError invalidRequest that names the first of them
 */
export function refuseOwn(members: object, own: readonly string[]): void {
  const found = own.find((name) => name in members);
  if (found !== undefined) throw new ServiceError('invalidRequest', `${found} is set by the service; leave it out`);
}
