import type { Query } from '../call/request.js';

/** Of several values one has to fit; of different members all have to. */
export interface ShadowFilter {
  /** Names of things; with `*` at the end, all whose names begin so. */
  readonly things?: string | readonly string[];
  /** Names of shadows, likewise; null: the classic one, which `*` leaves out. */
  readonly shadows?: string | null | readonly (string | null)[];
}

export interface WatchFilter extends ShadowFilter {
  readonly kinds?: 'updated' | 'deleted' | readonly ('updated' | 'deleted')[];
  /** JSON Pointers into the state, such as `/desired/power`: changes that touch one of them. */
  readonly paths?: string | readonly string[];
  /** Only changes after which desired differs from reported. */
  readonly delta?: true;
  /** Leave out changes that have changed no value. */
  readonly real?: true;
}

/** A stream of the service, by its address. */
export interface Source {
  readonly path: string;
  readonly query: Query;
}

/** The stream that brings what the filter lets through. No errors: the service judges the values. */
export function sourceOf({ things, shadows, kinds, paths, delta, real }: WatchFilter): Source {
  const listed = things === undefined ? [] : [things].flat();
  const query = {
    shadow: shadows === undefined ? [] : ([shadows].flat() as (string | null)[]).map((name) => name ?? '.classic'),
    kind: [kinds ?? []].flat(),
    path: [paths ?? []].flat(),
    ...{ delta, real },
  };
  const only = listed.length === 1 ? listed[0]! : '*';
  // The stream of one thing costs the node less than a filter for its name.
  if (!only.endsWith('*')) return { path: `/v1/things/${encodeURIComponent(only)}/watch`, query };
  return { path: '/v1/watch', query: { thing: listed, ...query } };
}
