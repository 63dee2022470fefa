/** The place of a request in a trace, as its caller names it: W3C Trace Context. */
export interface TraceContext {
  /** 32 hex digits, not all 0. */
  readonly traceId: string;
  /** Of the span that the request belongs to: 16 hex digits, not all 0. */
  readonly spanId: string;
  /** The caller records this trace. */
  readonly sampled: boolean;
  /** What vendors have added, as `tracestate` sends it; empty: nothing. */
  readonly state: string;
}

/** The headers of a request, or its user properties. */
export interface TraceHeaders {
  readonly traceparent: string;
  /** Empty: none. */
  readonly tracestate: string;
}

/** Bytes of a `tracestate` that is passed on. A longer one is left out: cut, it could mean something else. */
const MAX_STATE = 512;
/** W3C Trace Context, section 3.3.1. */
const MAX_MEMBERS = 32;
const PARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/s;
const ZEROS = /^0+$/;
const KEY = /^(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})$/;
/** Printable ASCII without comma and equals sign, which does not end in a space. */
const VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/** Null: `traceparent` is not valid, and counts as absent, as the standard wants it. No errors. */
export function parseTrace({ traceparent, tracestate }: TraceHeaders): TraceContext | null {
  const [, version, traceId = '', spanId = '', flags = '', more] = PARENT.exec(traceparent) ?? [];
  // Later versions may append fields; `ff` is none.
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return null;
  if (ZEROS.test(traceId) || ZEROS.test(spanId)) return null;
  return { traceId, spanId, sampled: (parseInt(flags, 16) & 1) === 1, state: parseState(tracestate) };
}

/** A `tracestate` in the form in which it is passed on; empty: it is not valid, or too long. No errors. */
function parseState(text: string): string {
  if (text === '' || text.length > MAX_STATE) return '';
  const members = text.split(',').flatMap((member) => member.replace(/^[ \t]+|[ \t]+$/g, '') || []);
  if (members.length > MAX_MEMBERS) return '';
  const keys = new Set<string>();
  for (const member of members) {
    const end = member.indexOf('=');
    const key = member.slice(0, Math.max(end, 0));
    if (!KEY.test(key) || !VALUE.test(member.slice(end + 1)) || keys.has(key)) return '';
    keys.add(key);
  }
  return members.join(',');
}

/** The `traceparent` of a span that is recorded. */
export const traceparentOf = (traceId: string, spanId: string): string => `00-${traceId}-${spanId}-01`;
