import { canonicalEscapes } from './percent-encoding.js';
import { malformed, type SignatureFault } from './signature-fault.js';

/** A parameter, both parts in the one spelling that is signed. */
export interface QueryParameter {
  readonly name: string;
  readonly value: string;
}

const VISIBLE = /^[\x21-\x7e]*$/;
const BAD_ESCAPE = /%(?![0-9A-F]{2})/;

/**
 * The parameters of a query in the order in which they were sent.
 * @param rawQuery as it was sent, without the question mark
 */
export function queryParameters(rawQuery: string): QueryParameter[] | SignatureFault {
  if (rawQuery === '') return [];
  if (!VISIBLE.test(rawQuery)) return malformed('A signed query must escape all but visible ASCII characters');
  // Servers read it as a space and signers as a plus, so that two values would have one signature.
  if (rawQuery.includes('+'))
    return malformed('A signed query may have no +: write %20 for a space and %2B for a plus');
  if (BAD_ESCAPE.test(rawQuery)) return malformed('A % in a signed query needs two upper-case hexadecimal digits');
  const parameters: QueryParameter[] = [];
  for (const piece of rawQuery.split('&')) {
    const equals = piece.indexOf('=');
    const name = canonicalEscapes(equals < 0 ? piece : piece.slice(0, equals));
    if (name === '') return malformed('A signed query may have no parameter without a name');
    parameters.push({ name, value: equals < 0 ? '' : canonicalEscapes(piece.slice(equals + 1)) });
  }
  return parameters;
}

/** The parameters as they are signed: in the order of their names, then values. Sorts the array in place. */
export function canonicalQuery(parameters: QueryParameter[]): string {
  if (parameters.length > 1) parameters.sort(byNameAndValue);
  return parameters.map(({ name, value }) => `${name}=${value}`).join('&');
}

/** By code, not by language. All characters are ASCII, so that code units are bytes. */
function byNameAndValue(a: QueryParameter, b: QueryParameter): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  if (a.value === b.value) return 0;
  return a.value < b.value ? -1 : 1;
}
