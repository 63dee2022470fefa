import { malformed, shown, SignatureFault } from './signature-fault.js';
import { AMZ, parseSignedNames } from './signed-names.js';

/** Space in a value that is no single one between two other characters. */
const FOLDABLE = /[\t\r\n]| {2}|^ | $/;
/** The headers of one request, by lower-case name. */
export class SentHeaders {
  readonly #values = new Map<string, string>();
  /** Null, as in good requests: none was. */
  #repeated: Set<string> | null = null;
  readonly #amz: string[] = [];

  /** @param raw names and values in turn, as `rawHeaders` of Node has them */
  constructor(raw: readonly string[]) {
    for (let at = 0; at + 1 < raw.length; at += 2) {
      const name = (raw[at] as string).toLowerCase();
      if (this.#values.has(name)) (this.#repeated ??= new Set()).add(name);
      else {
        this.#values.set(name, raw[at + 1] as string);
        if (name.startsWith(AMZ)) this.#amz.push(name);
      }
    }
  }

  /** The value of a header; undefined: it was not sent. */
  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  /** Whether a header was sent more than once. */
  isRepeated(name: string): boolean {
    return this.#repeated?.has(name) === true;
  }

  /**
   * The lines of the signed headers, each with its line feed. Refused are headers that are listed and were not sent or
   * were sent twice, and a list without one of the `x-amz-` headers that were sent: who holds a signed request could add
   * them.
   * @param signedHeaders lower-case names, joined by `;`
   */
  signedLines(signedHeaders: string): string | SignatureFault {
    const signed = parseSignedNames(signedHeaders);
    if (signed instanceof SignatureFault) return signed;
    let lines = '';
    for (const name of signed.names) {
      const value = this.#values.get(name);
      if (value === undefined) return malformed(`The signed header ${shown(name)} is missing: has a proxy removed it?`);
      if (this.isRepeated(name)) return malformed(`The signed header ${shown(name)} must be sent once`);
      lines += `${name}:${folded(value)}\n`;
    }
    return signed.amz < this.#amz.length ? this.#unsigned(signed.names) : lines;
  }

  #unsigned(names: readonly string[]): SignatureFault {
    const name = this.#amz.find((each) => !names.includes(each)) ?? '';
    return malformed(`The header ${shown(name)} was sent and is not signed: list it in SignedHeaders, or leave it out`);
  }
}

/** The value with each run of space as one space, and none around it. */
function folded(value: string): string {
  return FOLDABLE.test(value) ? value.replace(/[ \t\r\n]+/g, ' ').replace(/^ | $/g, '') : value;
}
