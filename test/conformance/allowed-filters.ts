/** The topics of docs/topics.md, written down once more: the door's own table is what is tested. */
const TAILS = ['get', 'get/accepted', 'get/rejected', 'update', 'update/delta', 'update/documents', 'update/accepted', 'update/rejected', 'delete', 'delete/accepted', 'delete/rejected']; // prettier-ignore
const PRESENCE = ['connected', 'disconnected'].flatMap((change) => ['T', 'T/T', 'T/T/T'].map((id) => `$aws/events/presence/${change}/${id}`)); // prettier-ignore
const TOPICS = TAILS.flatMap((tail) => [`$aws/things/T/shadow/${tail}`, `$aws/things/T/shadow/name/N/${tail}`]).concat(PRESENCE); // prettier-ignore

/** Whether a filter can match a topic of docs/topics.md (MQTT 4.7). */
export function canMatch(filter: string): boolean {
  const levels = filter.split('/');
  if (levels[0] !== '$aws') return false;
  return TOPICS.some((topic) => matches(levels, topic.split('/')));
}

function matches(filter: readonly string[], topic: readonly string[]): boolean {
  for (const [at, level] of filter.entries()) {
    if (level === '#') return topic.length >= at;
    const wanted = topic[at];
    if (wanted === undefined) return false;
    const isAnyName = wanted === 'T' || wanted === 'N';
    if (level !== '+' && (isAnyName ? level === '' : level !== wanted)) return false;
  }
  return filter.length === topic.length;
}
