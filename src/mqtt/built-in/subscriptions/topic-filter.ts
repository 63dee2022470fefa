import { isWithinLimits, shadowTopic, TAILS } from '../../topics.js';

/** Levels of every topic that the service publishes or reads; null stands for any name. */
const SHADOW_TOPICS: readonly (readonly (string | null)[])[] = TAILS.flatMap((tail) => [
  ['$aws', 'things', null, 'shadow', ...tail.split('/')],
  ['$aws', 'things', null, 'shadow', 'name', null, ...tail.split('/')],
]);

/** Whether a filter can match any shadow topic. A leading wildcard never matches `$aws` (MQTT-4.7.2-1). */
export function canMatchShadowTopic(filter: string): boolean {
  if (!isWithinLimits(filter)) return false;
  const levels = filter.split('/');
  return levels[0] === '$aws' && SHADOW_TOPICS.some((topic) => canMatch(levels, topic));
}

/** Whether `filter` matches `topic` (MQTT 4.7), for topics that begin with `$`. */
export function filterMatches(filter: string, topic: string): boolean {
  const levels = filter.split('/');
  return levels[0] !== '+' && levels[0] !== '#' && canMatch(levels, topic.split('/'));
}

/** The delta topics that a filter with a literal thing covers: the classic one, one named, all named ones. */
export interface DeltaCover {
  readonly thing: string;
  readonly classic: boolean;
  readonly named: string | 'all' | null;
}

/** null when the filter covers no delta topic, or leaves the thing open. */
export function deltaCover(filter: string): DeltaCover | null {
  const [, , thing, , , name] = filter.split('/');
  if (!thing || thing === '+' || thing === '#') return null;
  const covers = (shadow: string | null): boolean =>
    filterMatches(filter, `${shadowTopic({ thing, name: shadow })}/update/delta`);
  const classic = covers(null);
  const literal = name !== undefined && name !== '+' && name !== '#' && covers(name) ? name : null;
  // No shadow can have this name, so only a wildcard in its place matches it.
  const named = literal ?? (covers('*') ? 'all' : null);
  return classic || named !== null ? { thing, classic, named } : null;
}

function canMatch(levels: readonly string[], topic: readonly (string | null)[]): boolean {
  for (let i = 0; i < levels.length; i++) {
    const level = levels[i];
    // `a/#` matches `a` as well (MQTT-4.7.1-2).
    if (level === '#') return topic.length >= i;
    if (i >= topic.length) return false;
    const wanted = topic[i];
    if (wanted === null ? level === '' : level !== '+' && level !== wanted) return false;
  }
  return levels.length === topic.length;
}
