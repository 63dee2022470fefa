/** Segments of a path. */
export type Segments = readonly string[];

/** What the router, a proxy or a person may each take for something else. */
const UNUSUAL = /[%\\]|\/\/|\/\.|.\/$/;
const SLASHES = /[/\\]/;

/**
 * All paths that a request target may be understood to name: as the router reads it, and without what others leave out
 * (`//`, `/./`, `/../`, a last slash), with encoded slashes as parts of a segment and as slashes. Mostly it is one. Takes
 * time in proportion to its length. No errors.
 * @returns empty: it names no path
 */
export function readingsOf(target: string): readonly Segments[] {
  const end = target.search(/[?#]/);
  const path = end < 0 ? target : target.slice(0, end);
  if (!path.startsWith('/')) return [];
  const sent = path.slice(1).split('/');
  if (!UNUSUAL.test(path)) return [path === '/' ? [] : sent];
  const decoded = decodedOf(sent);
  if (decoded === null) return [];
  const readings = [decoded, resolved(decoded)];
  if (decoded.some((segment) => SLASHES.test(segment))) readings.push(resolved(decoded.join('/').split(SLASHES)));
  return readings;
}

/** Null: a percent sign does not begin an encoded character of UTF-8. The router refuses such a path as well. */
function decodedOf(segments: Segments): string[] | null {
  try {
    return segments.map((segment) => (segment.includes('%') ? decodeURIComponent(segment) : segment));
  } catch {
    return null;
  }
}

/** RFC 3986 section 5.2.4, and without empty segments. */
function resolved(segments: Segments): string[] {
  const left: string[] = [];
  for (const segment of segments) {
    if (segment === '..') left.pop();
    else if (segment !== '' && segment !== '.') left.push(segment);
  }
  return left;
}
