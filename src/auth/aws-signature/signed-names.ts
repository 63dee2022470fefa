import { remembering } from './remembering.js';
import { malformed, type SignatureFault } from './signature-fault.js';

/** Characters of header names (RFC 9110 section 5.6.2) in lower case, and what joins them. */
const NAMES = /^[a-z0-9!#$%&'*+.^_`|~;-]+$/;
/** Headers of AWS have this beginning. Those that its proxies add, such as `x-amzn-trace-id`, do not. */
export const AMZ = 'x-amz-';

/** The list of headers that a signature covers. */
export interface SignedNames {
  readonly names: readonly string[];
  /** How many of them begin with `x-amz-`. */
  readonly amz: number;
}

/** The names of a list such as `host;x-amz-date`: in lower case, sorted, each once, `host` among them. */
export const parseSignedNames = remembering<SignedNames>(parse, 200);

function parse(signedHeaders: string): SignedNames | SignatureFault {
  if (!NAMES.test(signedHeaders)) return malformed('SignedHeaders must be lower-case header names, joined by ;');
  const names = signedHeaders.split(';');
  const isSorted = names.every((name, at) => name > (names[at - 1] ?? ''));
  if (!isSorted) return malformed('SignedHeaders must be sorted, each name once');
  if (!names.includes('host')) return malformed('SignedHeaders must contain host');
  return { names, amz: names.filter((name) => name.startsWith(AMZ)).length };
}
