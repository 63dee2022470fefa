/** UTF-16 units up to which the engine's own search is taken: its worst case is this many steps a unit of the text. */
const SHORT = 32;

/**
 * Index of the first `needle` in `text` at or after `from`, -1 when there is none; in linear time, whatever both are.
 * No errors.
 * @param from index in UTF-16 units
 */
export function findText(text: string, needle: string, from: number): number {
  return needle.length <= SHORT ? text.indexOf(needle, from) : findLong(text, needle, from);
}

/** Knuth, Morris and Pratt: no unit of the text is looked at again after a mismatch. */
function findLong(text: string, needle: string, from: number): number {
  if (text.length - from < needle.length) return -1;
  const border = borders(needle);
  let matched = 0;
  for (let at = from; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    while (matched > 0 && needle.charCodeAt(matched) !== unit) matched = border[matched - 1]!;
    if (needle.charCodeAt(matched) === unit) matched++;
    if (matched === needle.length) return at - matched + 1;
  }
  return -1;
}

/** For each prefix of the needle the length of the longest proper prefix that is also its suffix. */
function borders(needle: string): Uint16Array | Uint32Array {
  const border = needle.length < 0x10000 ? new Uint16Array(needle.length) : new Uint32Array(needle.length);
  let length = 0;
  for (let at = 1; at < needle.length; at++) {
    while (length > 0 && needle.charCodeAt(length) !== needle.charCodeAt(at)) length = border[length - 1]!;
    if (needle.charCodeAt(length) === needle.charCodeAt(at)) length++;
    border[at] = length;
  }
  return border;
}
