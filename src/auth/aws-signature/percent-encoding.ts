/** RFC 3986 section 2.3, the only characters that AWS's signers leave as they are; in paths also `/`. */
const NOT_UNRESERVED = /[^A-Za-z0-9\-._~]/;
const NOT_UNRESERVED_IN_PATH = /[^A-Za-z0-9\-._~/]/g;
const ESCAPE_OR_RESERVED = /%[0-9A-F]{2}|[^A-Za-z0-9\-._~]/g;

/** `%` with two upper-case digits for each ASCII character. */
const ESCAPES: readonly string[] = Array.from(
  { length: 128 },
  (_, code) => `%${code.toString(16).toUpperCase().padStart(2, '0')}`,
);
const escapeOf = (character: string): string => ESCAPES[character.charCodeAt(0)] ?? '';

/** A path of ASCII characters, escaped once more: its `%` become `%25`. */
export function escapedPath(path: string): string {
  return path.replace(NOT_UNRESERVED_IN_PATH, escapeOf);
}

/**
 * A name or value of a query in the one spelling that is signed: every character that is not unreserved is escaped, and
 * no other.
 * @param part ASCII, with escapes in upper case only
 */
export function canonicalEscapes(part: string): string {
  return NOT_UNRESERVED.test(part) ? part.replace(ESCAPE_OR_RESERVED, canonicalEscape) : part;
}

function canonicalEscape(found: string): string {
  if (found.length === 1) return escapeOf(found);
  const character = String.fromCharCode(Number.parseInt(found.slice(1), 16));
  return NOT_UNRESERVED.test(character) ? found : character;
}
