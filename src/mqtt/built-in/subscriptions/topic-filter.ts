import { CHANGE_TAILS, type ChangeTail } from '../../../document/change-messages.js';
import { isWithinLimits, PRESENCE_TOPICS, shadowTopic, TAILS, type ShadowNames, type Tail } from '../../topics.js';

/** null stands for any name. */
type Levels = readonly (string | null)[];
const classicLevels = (tail: Tail): Levels => ['$aws', 'things', null, 'shadow', ...tail.split('/')];
const namedLevels = (tail: Tail): Levels => ['$aws', 'things', null, 'shadow', 'name', null, ...tail.split('/')];

/** Every topic that the service publishes or reads. */
const SHADOW_TOPICS: readonly Levels[] = TAILS.flatMap((tail) => [classicLevels(tail), namedLevels(tail)]);
/** Those that are not of changes: requests, and what answers them alone. */
const OTHER_TOPICS: readonly Levels[] = TAILS.filter(
  (tail) => !(CHANGE_TAILS as readonly string[]).includes(tail),
).flatMap((tail) => [classicLevels(tail), namedLevels(tail)]);
const CLASSIC_CHANGES = CHANGE_TAILS.map((tail) => ({ tail, levels: classicLevels(tail) }));
const NAMED_CHANGES = CHANGE_TAILS.map((tail) => ({ tail, levels: namedLevels(tail) }));
const CHANGE_ENDINGS = CHANGE_TAILS.map((tail) => ({ tail, ending: `/${tail}` }));

/** Whether a filter can match any shadow topic. A leading wildcard never matches `$aws` (MQTT-4.7.2-1). */
export function canMatchShadowTopic(filter: string): boolean {
  if (!isWithinLimits(filter)) return false;
  const levels = filter.split('/');
  return levels[0] === '$aws' && SHADOW_TOPICS.some((topic) => canMatch(levels, topic));
}

/** Levels of a topic of presence before the client identifier. */
const PRESENCE = Object.values(PRESENCE_TOPICS).map((topic) => topic.split('/').slice(0, -1));

/** Whether a filter can match any topic of presence. A client identifier may have slashes, but it is not empty. */
export function canMatchPresenceTopic(filter: string): boolean {
  if (!isWithinLimits(filter)) return false;
  const levels = filter.split('/');
  return levels[0] === '$aws' && PRESENCE.some((topic) => canBeginWith(levels, topic));
}

function canBeginWith(levels: readonly string[], topic: readonly string[]): boolean {
  for (const [i, wanted] of topic.entries()) {
    if (levels[i] === '#') return true;
    if (levels[i] !== '+' && levels[i] !== wanted) return false;
  }
  const rest = levels.slice(topic.length);
  return rest.length > 1 || (rest.length === 1 && rest[0] !== '');
}

/** Whether `filter` matches `topic` (MQTT 4.7), for topics that begin with `$`. */
export function filterMatches(filter: string, topic: string): boolean {
  const levels = filter.split('/');
  return levels[0] !== '+' && levels[0] !== '#' && canMatch(levels, topic.split('/'));
}

/** The topics of changes that a filter covers. */
export interface ChangeCover {
  /** null: any. */
  readonly thing: string | null;
  readonly classic: readonly ChangeTail[];
  /** Of named shadows; null: any. */
  readonly name: string | null;
  readonly named: readonly ChangeTail[];
}

/** null when the filter covers none of them. */
export function changeCover(filter: string): ChangeCover | null {
  const levels = filter.split('/');
  if (levels[0] !== '$aws') return null;
  const classic = coveredBy(levels, CLASSIC_CHANGES);
  const named = coveredBy(levels, NAMED_CHANGES);
  if (classic.length === 0 && named.length === 0) return null;
  return { thing: literal(levels[2]), classic, name: literal(levels[5]), named };
}

/** Whether a filter can match other topics than those of changes. */
export function canMatchOthers(filter: string): boolean {
  const levels = filter.split('/');
  return OTHER_TOPICS.some((topic) => canMatch(levels, topic)) || canMatchPresenceTopic(filter);
}

/** The change whose message has this topic; null when it is none. */
export function parseChangeTopic(topic: string): (ShadowNames & { readonly tail: ChangeTail }) | null {
  const tail = CHANGE_ENDINGS.find(({ ending }) => topic.endsWith(ending))?.tail;
  const cover = tail === undefined ? null : changeCover(topic);
  if (tail === undefined || !cover?.thing) return null;
  return { thing: cover.thing, name: cover.named.length === 0 ? null : cover.name, tail };
}

function coveredBy(
  filter: readonly string[],
  topics: readonly { readonly tail: ChangeTail; readonly levels: Levels }[],
): readonly ChangeTail[] {
  return topics.filter(({ levels }) => canMatch(filter, levels)).map(({ tail }) => tail);
}

/** null for a wildcard in its place, or before it. */
function literal(level: string | undefined): string | null {
  return level === undefined || level === '+' || level === '#' ? null : level;
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

function canMatch(levels: readonly string[], topic: Levels): boolean {
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
