import { malformed, shown, type SignatureFault } from './signature-fault.js';

/** Characters of header names (RFC 9110 section 5.6.2) in lower case, and what joins them. */
const NAMES = /^[a-z0-9!#$%&'*+.^_`|~;-]+$/;
/** Space in a value that is no single one between two other characters. */
const FOLDABLE = /[\t\r\n]| {2}|^ | $/;
/** Headers of AWS have this beginning. Those that its proxies add, such as `x-amzn-trace-id`, do not. */
const AMZ = 'x-amz-';

/** The headers of one request, by lower-case name. */
export class SentHeaders {
  readonly #values = new Map<string, string>();
  readonly #repeated = new Set<string>();
  readonly #amz: string[] = [];

  /** @param raw names and values in turn, as `rawHeaders` of Node has them */
  constructor(raw: readonly string[]) {
    for (let at = 0; at + 1 < raw.length; at += 2) {
      const name = (raw[at] as string).toLowerCase();
      if (this.#values.has(name)) this.#repeated.add(name);
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
    return this.#repeated.has(name);
  }

  /**
   * The lines of the signed headers, each with its line feed. Refused are a list that is not sorted, headers that are
   * listed and not sent or sent twice, and a list without `host` or one of the `x-amz-` headers that were sent: who
   * holds a signed request could add them.
   * @param signed lower-case names, joined by `;`
   */
  signedLines(signed: string): string | SignatureFault {
    if (!NAMES.test(signed)) return malformed('SignedHeaders must be lower-case header names, joined by ;');
    const names = signed.split(';');
    let lines = '';
    let previous = '';
    let amz = 0;
    for (const name of names) {
      if (name <= previous) return malformed('SignedHeaders must be sorted, each name once');
      previous = name;
      const value = this.#values.get(name);
      if (value === undefined) return malformed(`The signed header ${shown(name)} is missing: has a proxy removed it?`);
      if (this.#repeated.has(name)) return malformed(`The signed header ${shown(name)} must be sent once`);
      if (name.startsWith(AMZ)) amz++;
      lines += `${name}:${folded(value)}\n`;
    }
    if (!names.includes('host')) return malformed('SignedHeaders must contain host');
    return amz < this.#amz.length ? this.#unsigned(names) : lines;
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
