import { deltaState } from '../document/delta.js';
import { isObject, own } from '../document/json.js';
import { isTombstone, SECTIONS, type Json, type ShadowState, type StatePatch } from '../document/shadow-document.js';
import { PRESENCE } from '../store/presence-update.js';
import type { ShadowFilter } from '../store/shadow-feed.js';
import type { ShadowKey, ShadowRecord } from '../store/shadow-store.js';

/** The classic shadow in a filter: no named shadow has a dot in its name. */
export const CLASSIC = '.classic';

/** Values that a filter has at most. */
export const MAX_VALUES = 100;
/** Characters of a path. */
export const MAX_PATH = 1024;
/** Forms of the values of filters, of which doors and the description of the API tell. */
export const FORMS = {
  thing: /^(?:\*|[a-zA-Z0-9:_-]{1,128}\*?)$/,
  shadow: /^(?:\.classic|\*|[$a-zA-Z0-9:_-]{1,64}\*?)$/,
  path: /^\/(?:desired|reported)(?:\/(?:[^~/]|~[01])*)*$/,
};

/** Kinds of events; `presence` tells whether the client of a thing is connected. */
export const KINDS = ['updated', 'deleted', 'presence'] as const;
export type EventKind = (typeof KINDS)[number];

/** What the reader of a stream asks for; an absent member asks for any. */
export interface WatchFilter {
  /** Names of things; with `*` at the end, all that begin so. */
  readonly things?: readonly string[] | undefined;
  /** As `things`; CLASSIC is the classic shadow, and `*` every named one. */
  readonly shadows?: readonly string[] | undefined;
  /** Absent: changes of shadows, and no presence. */
  readonly kinds?: readonly EventKind[] | undefined;
  /** JSON Pointers (RFC 6901) into `{desired, reported}`. */
  readonly paths?: readonly string[] | undefined;
  /** Only what leaves a difference between desired and reported. */
  readonly delta?: true | undefined;
}

export type KeyFilter = (key: Pick<ShadowKey, 'thing' | 'name'>) => boolean;

/** `change`: a change, of which a filter sees what it has touched; `initial`: a document as it is. */
export type ContentFilter = (record: Pick<ShadowRecord, 'state' | 'change'>, as: 'change' | 'initial') => boolean;

/**
 * Whether a reader wants the changes of a shadow at all; null: those of every shadow. Of presence only the thing counts.
 * No errors.
 */
export function keyFilter({ things, shadows }: WatchFilter): KeyFilter | null {
  if (things === undefined && shadows === undefined) return null;
  const isThing = anyOf(things);
  const isShadow = anyOf(shadows?.filter((each) => each !== CLASSIC));
  const hasClassic = shadows === undefined || shadows.includes(CLASSIC);
  return ({ thing, name }) => isThing(thing) && (name === null ? hasClassic : name === PRESENCE || isShadow(name));
}

/** Whether a reader wants presence, as the feed knows it. No errors. */
export function presenceFilter({ kinds }: WatchFilter): ShadowFilter['presence'] {
  if (!kinds?.includes('presence')) return undefined;
  return kinds.every((kind) => kind === 'presence') ? 'alone' : 'too';
}

/**
 * What is said of documents in a filter that asks for presence alone, and so could never count; null: nothing. No errors.
 */
export function uselessBeside(filter: WatchFilter): 'shadows' | 'paths' | 'delta' | null {
  if (presenceFilter(filter) !== 'alone') return null;
  return (['shadows', 'paths', 'delta'] as const).find((member) => filter[member] !== undefined) ?? null;
}

/** Whether a reader wants a change of a shadow by what is in it; null: every one. No errors. */
export function contentFilter({ kinds, paths, delta }: WatchFilter): ContentFilter | null {
  if (kinds === undefined && paths === undefined && delta === undefined) return null;
  const pointers = paths?.map(stepsOf);
  return ({ state, change }, as) => {
    if (kinds !== undefined && !kinds.includes(isTombstone(state) ? 'deleted' : 'updated')) return false;
    if (delta && (isTombstone(state) || deltaState(state) === null)) return false;
    if (pointers === undefined) return true;
    return pointers.some((steps) => (as === 'initial' ? has(state, steps) : touches(change.patch ?? null, steps)));
  };
}

/**
 * Whether a patch sets, replaces or removes what is at the path, or something in it. `null`, which empties both sections
 * or deletes the shadow, touches everything. No errors.
 */
export function touches(patch: StatePatch, steps: readonly string[]): boolean {
  let at = patch as Json;
  for (const step of steps) {
    // Whatever was there is replaced as a whole.
    if (!isObject(at)) return true;
    const next = own(at, step);
    if (next === undefined) return false;
    at = next;
  }
  return true;
}

/** The steps of a JSON Pointer: `/desired/a~1b` is `desired`, then `a/b`. No errors. */
export function stepsOf(pointer: string): string[] {
  const steps = pointer.split('/').slice(1);
  return steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function has(state: ShadowState, [section, ...steps]: readonly string[]): boolean {
  if (isTombstone(state)) return false;
  const wanted = SECTIONS.find((each) => each === section);
  let at: Json | undefined = wanted && state[wanted];
  for (const step of steps) at = isObject(at) ? own(at, step) : undefined;
  return at !== undefined;
}

/** @param patterns names, or the beginnings of names with `*`; undefined: any name fits */
function anyOf(patterns: readonly string[] | undefined): (name: string) => boolean {
  if (patterns === undefined) return () => true;
  const names = new Set(patterns);
  const beginnings = patterns.filter((each) => each.endsWith('*')).map((each) => each.slice(0, -1));
  return (name) => names.has(name) || beginnings.some((each) => name.startsWith(each));
}
