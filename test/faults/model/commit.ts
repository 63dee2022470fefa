import type { Section, Told } from './history.js';
import { difference, same } from './model.js';

/** One change of one shadow, as etcd keeps it: the truth that readers and answers are measured by. */
export interface Commit extends Told {
  readonly revision: number;
  readonly thing: string;
  /** null: the classic shadow. */
  readonly name: string | null;
  readonly shadow: string;
  readonly deleted: boolean;
  /** `clientToken` of the request. */
  readonly token: string | null;
  readonly patch: { readonly desired?: Section | null; readonly reported?: Section | null } | null;
  /** null: there was none. */
  readonly previous: Told | null;
  /** When the lab heard of it, in milliseconds of its monotonic clock. */
  readonly at: number;
}

/** The part of it that a stream tells too. */
export type Said = Pick<Commit, 'shadow' | 'version' | 'deleted' | 'token' | 'patch' | 'desired' | 'reported'> & {
  readonly delta: Section | null;
};

/** Whether a change has changed a value, or has created or deleted the shadow. */
export function isReal({ previous, deleted, desired, reported }: Commit): boolean {
  if (previous === null || deleted) return true;
  return !same(previous.desired, desired) || !same(previous.reported, reported);
}

export const deltaOf = ({ deleted, desired, reported }: Commit): Section | null =>
  deleted ? null : difference(desired, reported);

/** 32 bits of all that is said: equal ones are taken for the same, however their members are ordered. */
export function digestOf({ shadow, version, deleted, token, patch, desired, reported, delta }: Said): number {
  let hash = 0x811c9dc5;
  const add = (text: string): void => {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  };
  add(`${shadow} ${version} ${deleted} ${token} `);
  for (const part of [patch, desired, reported, delta]) add(sorted(part));
  return hash >>> 0;
}

function sorted(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(sorted).join()}]`;
  const members = value as Readonly<Record<string, unknown>>;
  const names = Object.keys(members).sort();
  return `{${names.map((name) => `"${name}":${sorted(members[name])}`).join()}}`;
}
