/** Whether something can be published to it: not empty (MQTT-4.7.3-1), no wildcards (MQTT-3.3.2-2). */
export function isTopicName(topic: string): boolean {
  return topic !== '' && !topic.includes('+') && !topic.includes('#');
}

/** Whether wildcards stand alone in their level, `#` in the last one (MQTT-4.7.1-1, MQTT-4.7.1-2). */
export function isTopicFilter(filter: string): boolean {
  if (filter === '') return false;
  const hash = filter.indexOf('#');
  if (hash >= 0 && (hash !== filter.length - 1 || (hash > 0 && filter[hash - 1] !== '/'))) return false;
  for (let plus = filter.indexOf('+'); plus >= 0; plus = filter.indexOf('+', plus + 1)) {
    if (plus > 0 && filter[plus - 1] !== '/') return false;
    if (plus < filter.length - 1 && filter[plus + 1] !== '/') return false;
  }
  return true;
}

const SHARE = '$share/';

/** Whether a filter of MQTT 5 asks for a shared subscription, well formed or not. */
export function isShared(filter: string): boolean {
  return filter.startsWith(SHARE);
}

/** `$share/{name}/{filter}`: a name without wildcards, and a filter (MQTT-4.8.2-1, MQTT-4.8.2-2). */
export function isSharedFilter(filter: string): boolean {
  const slash = filter.indexOf('/', SHARE.length);
  return slash > 0 && isTopicName(filter.slice(SHARE.length, slash)) && isTopicFilter(filter.slice(slash + 1));
}
