/** A pattern of a route list that could not do what its author means. The message completes "… in a pattern". */
export class RoutePatternFault extends Error {
  override readonly name = 'RoutePatternFault';
}

/** `**`: any number of segments, none included. */
export const ANY_SEGMENTS = Symbol('any number of segments');

/** One segment that begins and ends so; longer than both together. */
export interface SegmentGlob {
  readonly prefix: string;
  readonly suffix: string;
}

/** What a segment of a path has to be. */
export type SegmentPattern = string | SegmentGlob | typeof ANY_SEGMENTS;

export interface RoutePattern {
  /** `*`: any. */
  readonly method: string;
  readonly segments: readonly SegmentPattern[];
}

/**
 * Reads `METHOD /path`. Refused is what no path is ever compared with: a Deny that never matches would close nothing.
 * @throws RoutePatternFault
 */
export function parseRoutePattern(text: string): RoutePattern {
  const [, method = '', path = ''] = /^([A-Z]{1,16}|\*) \/(.*)$/.exec(text) ?? [];
  if (method === '') throw fault(text, 'is not a method or *, a space, and a path');
  if (method === 'HEAD') throw fault(text, 'names HEAD, which counts as GET; write GET');
  if (/[%?#\\]/.test(path))
    throw fault(text, 'has one of % ? # \\; paths are compared decoded and without their query');
  if (path === '') return { method, segments: [] };
  return { method, segments: path.split('/').map((segment) => parseSegment(segment, text)) };
}

function parseSegment(segment: string, text: string): SegmentPattern {
  if (segment === '**') return ANY_SEGMENTS;
  if (segment === '' || segment === '.' || segment === '..')
    throw fault(text, 'has an empty segment, . or ..; paths are compared without them');
  const [prefix = '', suffix, more] = segment.split('*');
  if (more !== undefined) throw fault(text, 'has two * in one segment; ** stands alone between slashes');
  return suffix === undefined ? segment : { prefix, suffix };
}

const fault = (text: string, what: string): RoutePatternFault =>
  new RoutePatternFault(`${JSON.stringify(text.slice(0, 100))} ${what}`);
