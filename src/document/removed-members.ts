import type { Json, StatePatch } from './shadow-document.js';
import { isObject } from './json.js';

/** Characters of all pointers of a change: long names that many members share would make a small patch a large event. */
const MAX_CHARACTERS = 16 * 1024;

/**
 * JSON Pointers (RFC 6901) into `{desired, reported}` of the members that a patch removes by `null`: none of them is there
 * after it, whether it was before or not. What is replaced as a whole is not among them. Null: they are too long to be
 * told, and the patch has them. No errors.
 * @param isDeletion it removes the whole document, whose pointer is empty (RFC 6901 section 5)
 */
export function removedMembers(patch: StatePatch, isDeletion = false): string[] | null {
  if (isDeletion) return [''];
  if (patch === null) return ['/desired', '/reported'];
  const found: string[] = [];
  let characters = 0;
  const visit = (value: Json, path: string): void => {
    if (characters > MAX_CHARACTERS) return;
    if (value === null) {
      found.push(path);
      characters += path.length;
    } else if (isObject(value)) {
      for (const [name, member] of Object.entries(value)) visit(member, `${path}/${escaped(name)}`);
    }
  };
  visit(patch as Json, '');
  return characters > MAX_CHARACTERS ? null : found;
}

const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');
