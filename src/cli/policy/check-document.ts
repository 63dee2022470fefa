import { parsePolicyDocument } from '../../policies/policy-document.js';
import { PolicyFault } from '../../policies/policy-fault.js';
import type { JsonPath } from '../json-file.js';
import { findPlace, type Found } from './place-in-document.js';

/** Something about a part of a document. */
export interface Remark {
  readonly path: JsonPath;
  /** With the name of the part, such as `Statement[0].Effect: is missing`. */
  readonly text: string;
}

export interface Checked {
  /** Why the service would refuse it; empty: it is right. */
  readonly faults: readonly Remark[];
  /** What it would accept, and never ask for. */
  readonly notes: readonly Remark[];
}

/** Faults that are looked for in one document. */
const MAX_FAULTS = 100;

/** Judges a document as the service does, and does not end at the first fault. No errors. */
export function checkDocument(text: string): Checked {
  const faults: Remark[] = [];
  let document: unknown;
  for (let current = text; faults.length < MAX_FAULTS; current = JSON.stringify(document)) {
    try {
      const { notes } = parsePolicyDocument(current);
      return { faults, notes: faults.length > 0 ? [] : notes.map((note) => remarkOf(JSON.parse(text), note)) };
    } catch (error) {
      if (!(error instanceof PolicyFault)) throw error;
      document ??= JSON.parse(text);
      const found = findPlace(document, error.place);
      faults.push({ path: found.path, text: error.message });
      if (faults.at(-2)?.text === error.message || !mend(document, found)) break;
    }
  }
  return { faults, notes: [] };
}

/** Notes begin with their place, in which no colon is. */
const remarkOf = (document: unknown, note: string): Remark => ({
  path: findPlace(document, note.split(': ', 1)[0]!).path,
  text: note,
});

/** Values that have no fault, by the name of the member. */
const RIGHT: Readonly<Record<string, string>> = {
  ...{ Version: '2012-10-17', Effect: 'Allow', Action: 'iot:Connect', Resource: '*' },
};

/** Takes away what is wrong, so that the next fault is found. Returns whether it could. */
function mend(document: unknown, { path, rest }: Found): boolean {
  const names = rest === '' ? path : [...path, rest];
  const inStatement = names[0] === 'Statement' ? names.slice(typeof names[1] === 'number' ? 2 : 1) : names;
  const [member] = inStatement;
  if (typeof member !== 'string' || member === 'Statement') return false;
  const before = names.length - inStatement.length;
  const right = Object.hasOwn(RIGHT, member) ? RIGHT[member] : undefined;
  if (right !== undefined) return set(document, names.slice(0, before + 2), right);
  // Of a condition, the key with all its values.
  return set(document, names.slice(0, before + (member === 'Condition' ? 3 : 1)), undefined);
}

/** @param value undefined: the member goes */
function set(document: unknown, path: JsonPath, value: string | undefined): boolean {
  let holder = document as Record<string | number, unknown>;
  for (const name of path.slice(0, -1)) holder = holder[name] as typeof holder;
  const last = path.at(-1)!;
  if (value === undefined) delete holder[last];
  else holder[last] = value;
  return true;
}
