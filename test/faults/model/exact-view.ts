import { deltaOf, isReal, type Commit } from './commit.js';
import type { Json, Section } from './history.js';

/** What a stream asks for, and what that means for a commit: written a second time, apart from the service. */
export interface ExactView {
  readonly name: string;
  /** Of `/v1/watch`. */
  readonly query: string;
  /** Whether it brings the commit. */
  shows(commit: Commit): boolean;
  /** Whether the present state has the document that the commit made. */
  holds(commit: Commit): boolean;
  /** It also brings what is not real while nobody can know what was before: after a compaction, or without etcd. */
  readonly isUnsure?: boolean;
}

const always = (): boolean => true;

/** A filter by names means the same for changes and for the present state. */
const named = (name: string, query: string, fits: (commit: Commit) => boolean): ExactView => ({
  name,
  query,
  shows: fits,
  holds: fits,
});

const touching = (name: string, query: string, ...paths: readonly (readonly string[])[]): ExactView => ({
  name,
  query,
  shows: (commit) => paths.some((path) => touches(commit, path)),
  holds: (commit) => paths.some((path) => valueAt(commit, path) !== undefined),
});

/** A patch touches what it sets, replaces or removes, what is in it, and what it is in. No patch touches everything. */
function touches({ patch }: Commit, path: readonly string[]): boolean {
  let at = (patch ?? null) as Json;
  for (const step of path) {
    if (typeof at !== 'object' || at === null || Array.isArray(at)) return true;
    const inner = (at as Section)[step];
    if (inner === undefined) return false;
    at = inner;
  }
  return true;
}

function valueAt({ desired, reported }: Commit, path: readonly string[]): Json | undefined {
  // An empty section is not there.
  const sections = { desired, reported };
  const full = Object.entries(sections).filter(([, section]) => Object.keys(section).length > 0);
  let at: Json | undefined = Object.fromEntries(full);
  for (const step of path)
    at = typeof at === 'object' && at !== null && !Array.isArray(at) ? (at as Section)[step] : undefined;
  return at;
}

const isDoor = ({ name }: Commit): boolean => name === 'cfg' || (name?.startsWith('do') ?? false);
const isClassic = ({ name }: Commit): boolean => name === null;

/** Every filter of the service, and some of them together. @param prefix of all things */
export function exactViews(prefix: string): readonly ExactView[] {
  const isTen = ({ thing }: Commit): boolean => thing.startsWith(`${prefix}1`);
  return [
    { name: 'all', query: '', shows: always, holds: always },
    named('things', `thing=${prefix}1*`, isTen),
    named('two-things', `thing=${prefix}3&thing=${prefix}5`, ({ thing }) =>
      [`${prefix}3`, `${prefix}5`].includes(thing),
    ),
    named('shadows', 'shadow=cfg&shadow=do*', isDoor),
    named('classic', 'shadow=.classic', isClassic),
    touching('section', 'path=/reported', ['reported']),
    touching('path', 'path=/reported/net/rssi', ['reported', 'net', 'rssi']),
    touching('paths', 'path=/desired/mode&path=/reported/t', ['desired', 'mode'], ['reported', 't']),
    { name: 'deletions', query: 'kind=deleted', shows: ({ deleted }) => deleted, holds: () => false },
    { name: 'updates', query: 'kind=updated', shows: ({ deleted }) => !deleted, holds: always },
    {
      name: 'delta',
      query: 'delta=true',
      shows: (commit) => deltaOf(commit) !== null,
      holds: (commit) => deltaOf(commit) !== null,
    },
    { name: 'real', query: 'real=true', shows: isReal, holds: always, isUnsure: true },
    {
      name: 'together',
      query: `thing=${prefix}1*&shadow=.classic&path=/desired&kind=updated`,
      shows: (commit) => isTen(commit) && isClassic(commit) && !commit.deleted && touches(commit, ['desired']),
      holds: (commit) => isTen(commit) && isClassic(commit) && valueAt(commit, ['desired']) !== undefined,
    },
  ];
}
