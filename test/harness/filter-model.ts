const patterns = new Map<string, RegExp>();

/** MQTT 4.7 written as a regular expression: slow, and plainly right. */
export function matchesByRules(filter: string, topic: string): boolean {
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false;
  if (patternOf(filter).test(topic)) return true;
  return filter.endsWith('/#') && matchesByRules(filter.slice(0, -2), topic);
}

function patternOf(filter: string): RegExp {
  const known = patterns.get(filter);
  if (known !== undefined) return known;
  const source = filter
    .split('/')
    .map((one) => (one === '+' ? '[^/]*' : one === '#' ? '.*' : one.replace('$', '\\$')))
    .join('/');
  const pattern = new RegExp(`^${source}$`);
  patterns.set(filter, pattern);
  return pattern;
}
