import type { Segments } from './path-readings.js';
import { ANY_SEGMENTS, type RoutePattern, type SegmentGlob, type SegmentPattern } from './route-pattern.js';

/** Where patterns are that begin alike. */
class Place {
  readonly literals = new Map<string, Place>();
  readonly globs: (SegmentGlob & { readonly place: Place })[] = [];
  /** After `**`, which may stand for nothing. */
  rest: Place | null = null;
  /** Methods of patterns that end here. */
  readonly methods = new Set<string>();

  /** @param stays whether a further segment may lead here again */
  constructor(readonly stays: boolean) {}

  after(segment: SegmentPattern): Place {
    if (segment === ANY_SEGMENTS) return (this.rest ??= new Place(true));
    if (typeof segment === 'string') {
      const known = this.literals.get(segment) ?? new Place(false);
      this.literals.set(segment, known);
      return known;
    }
    const { prefix, suffix } = segment;
    const same = this.globs.find((each) => each.prefix === prefix && each.suffix === suffix);
    if (same !== undefined) return same.place;
    const place = new Place(false);
    this.globs.push({ prefix, suffix, place });
    return place;
  }
}

/**
 * Patterns as one tree, in which all of them are followed at once: the time is in proportion to the length of the path,
 * whatever it is, since no place is looked at twice for one segment.
 */
export class RouteTree {
  readonly #root = new Place(false);

  constructor(patterns: Iterable<RoutePattern>) {
    for (const { method, segments } of patterns) {
      let place = this.#root;
      for (const segment of segments) place = place.after(segment);
      place.methods.add(method);
    }
  }

  /** Whether a pattern matches the whole path. No errors. */
  matches(method: string, path: Segments): boolean {
    let places = new Set<Place>();
    add(places, this.#root);
    for (const segment of path) {
      const next = new Set<Place>();
      for (const place of places) step(next, place, segment);
      if (next.size === 0) return false;
      places = next;
    }
    for (const { methods } of places) if (methods.has(method) || methods.has('*')) return true;
    return false;
  }
}

function step(next: Set<Place>, place: Place, segment: string): void {
  if (place.stays) add(next, place);
  const literal = place.literals.get(segment);
  if (literal !== undefined) add(next, literal);
  for (const { prefix, suffix, place: to } of place.globs) {
    const isLong = segment.length >= prefix.length + suffix.length;
    if (isLong && segment.startsWith(prefix) && segment.endsWith(suffix)) add(next, to);
  }
}

function add(places: Set<Place>, place: Place): void {
  for (let at: Place | null = place; at !== null && !places.has(at); at = at.rest) places.add(at);
}
