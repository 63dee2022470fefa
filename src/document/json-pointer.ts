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

/** The value to which a pointer leads; undefined: there is none. No errors. */
export function valueAt(root: Json | undefined, parts: readonly string[]): Json | undefined {
  let value = root;
  for (const part of parts) {
    if (Array.isArray(value)) value = INDEX.test(part) ? value[Number(part)] : undefined;
    else value = isObject(value) ? own(value, part) : undefined;
    if (value === undefined) return undefined;
  }
  return value;
}
