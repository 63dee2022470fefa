import { memberPlace } from '../../policies/policy-fault.js';
import type { JsonPath } from '../json-file.js';

/** Where a place of a fault is in a document. */
export interface Found {
  /** Of the value there, or of the nearest one around it. */
  readonly path: JsonPath;
  /** What of the place no value has: the name of a missing member. Empty: all was found. */
  readonly rest: string;
}

/** The path of a place such as `Statement[1].Action`, as the checker of policies writes it. No errors. */
export function findPlace(document: unknown, place: string): Found {
  let path: JsonPath = [];
  let at = '';
  for (let value = document; ;) {
    const next = childrenOf(value, at).find((child) => leadsTo(child.at, place));
    if (!next) return { path, rest: place.slice(at.length).replace(/^\./, '') };
    path = [...path, next.name];
    ({ at, value } = next);
  }
}

interface Child {
  readonly name: string | number;
  /** Its place. */
  readonly at: string;
  readonly value: unknown;
}

/** Those with long places first, as names may have dots in them. */
function childrenOf(value: unknown, at: string): readonly Child[] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value))
    return value.map((each: unknown, index) => ({ name: index, at: `${at}[${index}]`, value: each }));
  return Object.entries(value)
    .map(([name, each]) => ({ name, at: memberPlace(at, name), value: each as unknown }))
    .sort((a, b) => b.at.length - a.at.length);
}

const leadsTo = (at: string, place: string): boolean =>
  place === at || (place.startsWith(at) && /^[.[]/.test(place.slice(at.length)));
