import { SignatureFault } from './signature-fault.js';

/** Characters of a text that is remembered: those of all known clients have less than 300. */
const MAX_CHARACTERS = 1000;

/** A string with characters of its own. A slice would keep the whole header alive that it was cut from. */
export function ownCopy(ascii: string): string {
  return Buffer.from(ascii, 'latin1').toString('latin1');
}

/**
 * The same parser, which remembers its results: clients send few different texts. Faults are not remembered. When there
 * are too many, all are dropped: who makes them up costs others one more parse each.
 * @param max texts that are remembered
 */
export function remembering<T>(
  parse: (text: string) => T | SignatureFault,
  max: number,
): (text: string) => T | SignatureFault {
  const results = new Map<string, T>();
  return (text) => {
    const known = results.get(text);
    if (known !== undefined) return known;
    if (text.length > MAX_CHARACTERS) return parse(text);
    const own = ownCopy(text);
    const result = parse(own);
    if (result instanceof SignatureFault) return result;
    if (results.size >= max) results.clear();
    results.set(own, result);
    return result;
  };
}
