import { createReadStream } from 'node:fs';
import type { Node, ParseError } from 'jsonc-parser';
import { usage } from './exit-code.js';
import type { Surroundings } from './surroundings.js';

/** A JSON text with the places of its values. */
export interface Parsed {
  readonly value: unknown;
  /** `file:line:column` of the value at a path, or of the nearest one around it. */
  placeOf(path: JsonPath): string;
  /** The value at a path as the file has it, with its offset in UTF-16 units; null: nothing is there. */
  sourceOf(path: JsonPath): Source | null;
}

/** Names of members and indices of elements, from the root. */
export type JsonPath = readonly (string | number)[];

/** A part of a text. */
export interface Source {
  readonly text: string;
  readonly offset: number;
}

/** Bytes of a file or of stdin that are read. A node takes less by default. */
const MAX_BYTES = 8 * 1024 * 1024;

/** Objects and lists within each other: the parser needs stack for each. A node takes fewer. */
const MAX_LEVELS = 1000;

/** The most brackets that are open at once, those in strings left out. */
function levelsOf(text: string): number {
  let [open, most] = [0, 0];
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]]/g)) {
    if (token === '{' || token === '[') most = Math.max(most, ++open);
    else if (token === '}' || token === ']') open--;
  }
  return most;
}

/** `file:line:column` of a character, both counted from 1. No errors. */
export function placeIn(file: string, text: string, offset: number): string {
  const before = text.slice(0, offset).split('\n');
  return `${file}:${before.length}:${before.at(-1)!.length + 1}`;
}

/**
 * @param at the place of a character, for a text that is only a part of the file
 * @throws CliError with the place of the first error
 */
export async function parseJson(
  text: string,
  file: string,
  at = (offset: number): string => placeIn(file, text, offset),
): Promise<Parsed> {
  const { findNodeAtLocation, getNodeValue, parseTree, printParseErrorCode } = await import('jsonc-parser');
  const errors: ParseError[] = [];
  if (levelsOf(text) > MAX_LEVELS) throw usage(`${file}: has more than ${MAX_LEVELS} levels`);
  const root = parseTree(text, errors, { disallowComments: true, allowTrailingComma: false });
  const first = errors[0];
  if (first || !root) {
    const what = first ? words(printParseErrorCode(first.error)) : 'value expected';
    throw usage(`${at(first?.offset ?? text.length)}: ${what}`);
  }
  refuseRepeated(root, at);
  const placeOf: Parsed['placeOf'] = (path) => {
    for (let length = path.length; length > 0; length--) {
      const node = findNodeAtLocation(root, path.slice(0, length));
      if (node) return at(node.offset);
    }
    return at(root.offset);
  };
  const sourceOf: Parsed['sourceOf'] = (path) => {
    const node = findNodeAtLocation(root, [...path]);
    return node ? { text: text.slice(node.offset, node.offset + node.length), offset: node.offset } : null;
  };
  return { value: getNodeValue(root), placeOf, sourceOf };
}

/** `CommaExpected` as `comma expected`. */
const words = (code: string): string => code.replace(/(?<=[a-z])[A-Z]/g, ' $&').toLowerCase();

/** Of two members with one name the first would be lost without a word. */
function refuseRepeated(node: Node, at: (offset: number) => string): void {
  const names = new Set<string>();
  for (const child of node.children ?? []) {
    const name = child.type === 'property' ? child.children?.[0] : undefined;
    if (name && names.has(name.value as string))
      throw usage(`${at(name.offset)}: the member ${JSON.stringify(name.value)} is there twice`);
    if (name) names.add(name.value as string);
    refuseRepeated(child, at);
  }
}

/** The text of a file; `-` is stdin. @throws CliError if it cannot be read, is too large or is not UTF-8 */
export async function textOf(file: string, around: Pick<Surroundings, 'stdin'>): Promise<string> {
  const bytes = await bytesOf(file, around);
  if (bytes.length > MAX_BYTES) throw usage(`${nameOf(file)} is larger than ${MAX_BYTES} bytes`);
  return textIn(bytes, nameOf(file));
}

/** @throws CliError with the place of the first character that is not UTF-8: in its place another one would be sent */
export function textIn(bytes: Uint8Array, file: string): string {
  try {
    return decoded(bytes);
  } catch {
    let [good, bad] = [0, bytes.length + 1];
    while (bad - good > 1) {
      const middle = Math.floor((good + bad) / 2);
      if (isBegin(bytes.subarray(0, middle))) good = middle;
      else bad = middle;
    }
    const before = decoded(bytes.subarray(0, good), true);
    throw usage(`${placeIn(file, before, before.length)}: this is not UTF-8`);
  }
}

/** @param isBegin the last character may be incomplete, and is left out then */
const decoded = (bytes: Uint8Array, isBegin = false): string =>
  new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: isBegin });

/** Whether the bytes are what a text may begin with. */
function isBegin(bytes: Uint8Array): boolean {
  try {
    decoded(bytes, true);
    return true;
  } catch {
    return false;
  }
}

/** How messages call the file. No errors. */
export const nameOf = (file: string): string => (file === '-' ? '<stdin>' : file);

async function bytesOf(file: string, { stdin }: Pick<Surroundings, 'stdin'>): Promise<Uint8Array> {
  if (file === '-') return allOf(stdin);
  try {
    return await allOf(createReadStream(file));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw usage(`${file} cannot be read${code === undefined ? '' : ` (${code})`}`);
  }
}

/** All bytes, or a few more than the limit. */
async function allOf(parts: Surroundings['stdin']): Promise<Uint8Array> {
  const read: Uint8Array[] = [];
  let size = 0;
  for await (const part of parts) {
    const bytes = Buffer.from(part as Uint8Array);
    read.push(bytes);
    size += bytes.length;
    if (size > MAX_BYTES) break;
  }
  return Buffer.concat(read);
}
