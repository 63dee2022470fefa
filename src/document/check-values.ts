import type { Json, JsonObject } from './shadow-document.js';
import { ServiceError } from '../errors/service-error.js';
import { isObject } from './json.js';

type FaultCode = 'tooDeep' | 'nullInArray' | 'numberTooLarge';

interface Fault {
  readonly code: FaultCode;
  /** Parts of the place, innermost first; joined only after a fault is found. */
  readonly path: string[];
}

/** Characters of the client's text that an error quotes: enough to find the place, too few to echo a whole payload. */
const MAX_QUOTED = 100;

/** A text of the client, cut to 100 characters for an error text. No errors. */
export function quote(text: string): string {
  return text.length <= MAX_QUOTED ? text : `${text.slice(0, MAX_QUOTED)}…`;
}

/**
 * Rejects values that a section cannot hold, in one walk of at most `maxDepth` levels. A member or an array element is
 * a level; an empty container at the limit is fine (PROTOCOL 3).
 * @throws ServiceError tooDeep, nullInArray (at any depth below an array), numberTooLarge (overflows to Infinity)
 */
export function checkSection(section: string, patch: JsonObject, maxDepth: number): void {
  const fault = findFault(patch, 0, maxDepth, false);
  if (fault === null) return;
  const where = quote(section + fault.path.reverse().join(''));
  throw new ServiceError(fault.code, fault.code === 'tooDeep' ? String(maxDepth) : where);
}

function findFault(value: Json, level: number, maxDepth: number, inArray: boolean): Fault | null {
  if (value === null) return inArray ? { code: 'nullInArray', path: [] } : null;
  if (typeof value === 'number') return Number.isFinite(value) ? null : { code: 'numberTooLarge', path: [] };
  if (Array.isArray(value)) return findInArray(value, level, maxDepth);
  if (!isObject(value)) return null;
  for (const member of Object.keys(value)) {
    if (level >= maxDepth) return { code: 'tooDeep', path: [] };
    const fault = findFault(value[member]!, level + 1, maxDepth, inArray);
    if (fault !== null) {
      fault.path.push(`.${quote(member)}`);
      return fault;
    }
  }
  return null;
}

function findInArray(array: Json[], level: number, maxDepth: number): Fault | null {
  if (array.length > 0 && level >= maxDepth) return { code: 'tooDeep', path: [] };
  for (let i = 0; i < array.length; i++) {
    const fault = findFault(array[i]!, level + 1, maxDepth, true);
    if (fault !== null) {
      fault.path.push(`[${i}]`);
      return fault;
    }
  }
  return null;
}
