import { isObject, own } from './json.js';
import type { Json } from './shadow-document.js';

/** An array index as RFC 6901 section 4 writes it: without zeros in front. */
const INDEX = /^(?:0|[1-9][0-9]*)$/;

/**
 * The parts of a JSON Pointer (RFC 6901); the empty pointer has none. Null: the text is no pointer. No errors.
 */
export function pointerParts(pointer: string): readonly string[] | null {
  if (pointer === '') return [];
  if (!pointer.startsWith('/') || /~(?![01])/.test(pointer)) return null;
  return pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The element of an array that a part of a pointer names; null: it is no index. No errors. */
export const indexIn = (part: string): number | null => (INDEX.test(part) ? Number(part) : null);

/** The value to which a part of a pointer leads from the one above it; undefined: there is none. No errors. */
export function childAt(value: Json | undefined, part: string): Json | undefined {
  if (Array.isArray(value)) return INDEX.test(part) ? value[Number(part)] : undefined;
  return isObject(value) ? own(value, part) : undefined;
}

/** The value to which a pointer leads; undefined: there is none. No errors. */
export function valueAt(root: Json | undefined, parts: readonly string[]): Json | undefined {
  let value = root;
  for (const part of parts) {
    value = childAt(value, part);
    if (value === undefined) return undefined;
  }
  return value;
}
