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
  /** The step that has found it last. */
  step = 0;

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
  #step = 0;

  constructor(patterns: Iterable<RoutePattern>) {
    for (const { method, segments } of patterns) {
      let place = this.#root;
      for (const segment of segments) place = place.after(segment);
      place.methods.add(method);
    }
  }

  /** Whether a pattern matches the whole path. No errors. */
  matches(method: string, path: Segments): boolean {
    let places: Place[] = [];
    this.#step++;
    this.#add(places, this.#root);
    for (const segment of path) {
      const next: Place[] = [];
      this.#step++;
      for (const place of places) this.#follow(next, place, segment);
      if (next.length === 0) return false;
      places = next;
    }
    return places.some(({ methods }) => methods.has(method) || methods.has('*'));
  }

  #follow(next: Place[], place: Place, segment: string): void {
    if (place.stays) this.#add(next, place);
    const literal = place.literals.get(segment);
    if (literal !== undefined) this.#add(next, literal);
    for (const { prefix, suffix, place: to } of place.globs) {
      const isLong = segment.length >= prefix.length + suffix.length;
      if (isLong && segment.startsWith(prefix) && segment.endsWith(suffix)) this.#add(next, to);
    }
  }

  #add(places: Place[], place: Place): void {
    for (let at: Place | null = place; at !== null && at.step !== this.#step; at = at.rest) {
      at.step = this.#step;
      places.push(at);
    }
  }
}
