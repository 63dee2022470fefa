import { keyReference, valueOf, type KeyReference, type PolicyContext } from './context-keys.js';
import { findText } from './find-text.js';
import { PolicyFault, quoted } from './policy-fault.js';

/** `?`, any one UTF-16 unit. */
const ANY_UNIT = Symbol('?');
/** `*`, any text, an empty one too. */
const ANY_TEXT = Symbol('*');

type Token = string | KeyReference | typeof ANY_UNIT | typeof ANY_TEXT;
type Part = Exclude<Token, typeof ANY_TEXT>;
/** Between two `*`. */
type Piece = readonly Part[];

/** What an unresolved variable stands for: an Allow must not match by it, a Deny must. */
export type Unresolved = 'nothing' | 'anything';

/** UTF-16 units between two `*` when a `?` is among them: they are tried at each place of the text. */
const MAX_GAPPED = 64;
const VARIABLE = /\$\{([^{}]*)\}/y;

/** A variable, a literal text and perhaps `*`, behind the prefix: `topic/$aws/things/${thing}/shadow/*`. */
interface Simple {
  readonly key: KeyReference;
  /** May be empty. */
  readonly tail: string;
  readonly isOpen: boolean;
}

/** In place of an index in the text. */
const NOWHERE = -1;
/** A variable that has no value was come to, and all before it matches. */
const NO_VALUE = -2;

/** A text with `*`, `?` and variables, made once; everything else in it is literal, `+` and `#` too. */
export class Pattern {
  readonly #tokens: readonly Token[];
  /** Behind the prefix. */
  readonly #pieces: readonly Piece[];
  readonly #isPrefix: boolean;
  /** Of the usual form, which is compared without a look at its pieces; null: it has another one. */
  readonly #simple: Simple | null;
  readonly #prefixLength: number;
  /** Last unit of the prefix, where it differs from others soonest; -1 without one. */
  readonly #lastOfPrefix: number;
  /** The literal text before all else in it. */
  readonly prefix: string;
  /** The text without wildcards and variables that it is equal to, or null. */
  readonly literal: string | null;
  readonly keys: readonly KeyReference[];

  constructor(tokens: readonly Token[]) {
    const [first] = tokens;
    const rest = typeof first === 'string' ? tokens.slice(1) : tokens;
    this.#tokens = tokens;
    this.#pieces = split(rest);
    this.#isPrefix = rest.length === 1 && rest[0] === ANY_TEXT;
    this.#simple = simpleOf(rest);
    this.prefix = typeof first === 'string' ? first : '';
    this.#prefixLength = this.prefix.length;
    // A field that was NaN in some patterns would be a number on the heap in all of them.
    this.#lastOfPrefix = this.prefix === '' ? -1 : this.prefix.charCodeAt(this.prefix.length - 1);
    this.literal = rest.length === 0 ? this.prefix : null;
    this.keys = tokens.filter(isKey);
  }

  /** Whether the whole text matches; in time linear in the text. No errors. */
  matches(text: string, context: PolicyContext, unresolved: Unresolved): boolean {
    if (this.literal !== null) return text === this.literal;
    const length = this.#prefixLength;
    if (length > 0) {
      if (text.charCodeAt(length - 1) !== this.#lastOfPrefix || !text.startsWith(this.prefix)) return false;
    }
    if (this.#isPrefix) return true;
    const value = this.#simple === null ? undefined : valueOf(this.#simple.key, context);
    if (this.#simple !== null && value !== undefined) return isSimple(this.#simple, text, length, value);
    const end = matchPieces(this.#pieces, text, length, context);
    if (end !== NO_VALUE || unresolved === 'nothing') return end === text.length;
    return this.#loosened(context).matches(text, context, 'nothing');
  }

  /** The text that a pattern without wildcards stands for; null when a variable is unresolved. No errors. */
  text(context: PolicyContext): string | null {
    if (this.literal !== null) return this.literal;
    const parts = this.#tokens.map((token) => (isKey(token) ? valueOf(token, context) : String(token)));
    return parts.includes(undefined) ? null : parts.join('');
  }

  /** Whether every variable has a value. No errors. */
  isResolved(context: PolicyContext): boolean {
    return this.keys.every((key) => valueOf(key, context) !== undefined);
  }

  /** With `*` in place of each variable that has no value. */
  #loosened(context: PolicyContext): Pattern {
    return new Pattern(
      this.#tokens.map((token) => (isKey(token) && valueOf(token, context) === undefined ? ANY_TEXT : token)),
    );
  }
}

/**
 * @param place where the document has the text
 * @param text with `*`, `?`, `${variable}` and `${*}`, `${?}`, `${$}` for these characters themselves
 * @param only `variables`: `*` and `?` are literal
 * @throws PolicyFault for an unknown variable, or one without its end
 */
export function parsePattern(place: string, text: string, only?: 'variables'): Pattern {
  const tokens: Token[] = [];
  let literal = '';
  const push = (token: Token): void => {
    if (literal !== '') tokens.push(literal);
    literal = '';
    if (token !== ANY_TEXT || tokens.at(-1) !== ANY_TEXT) tokens.push(token);
  };
  for (let at = 0; at < text.length; at++) {
    if (text.startsWith('${', at)) {
      const name = variableAt(place, text, at);
      at += name.length + 2;
      if (name === '*' || name === '?' || name === '$') literal += name;
      else push(variable(place, name));
    } else if (only === 'variables') literal += text[at];
    else if (text[at] === '*') push(ANY_TEXT);
    else if (text[at] === '?') push(ANY_UNIT);
    else literal += text[at];
  }
  if (literal !== '') tokens.push(literal);
  checkGaps(place, tokens);
  return new Pattern(tokens);
}

function variableAt(place: string, text: string, at: number): string {
  VARIABLE.lastIndex = at;
  const name = VARIABLE.exec(text)?.[1];
  if (name === undefined) {
    throw new PolicyFault(place, `a variable has no end in ${quoted(text.slice(at))}; write \${name}`);
  }
  return name;
}

function variable(place: string, name: string): KeyReference {
  const key = keyReference(name);
  if (key === null) throw new PolicyFault(place, `the variable ${quoted(name)} is unknown`);
  if (key.scope !== 'caller' || key.pick === 'all') {
    throw new PolicyFault(place, `${quoted(name)} can be used as the key of a condition only`);
  }
  return key;
}

/** Holds that the only search without a linear method of its own is short, also when a variable is taken for `*`. */
function checkGaps(place: string, tokens: readonly Token[]): void {
  const loosened = tokens.map((token) => (isKey(token) ? ANY_TEXT : token));
  const pieces = [tokens, loosened].flatMap((each) => split(each).slice(1, -1));
  for (const piece of pieces.filter((each) => each.includes(ANY_UNIT))) {
    const length = piece.reduce<number>((sum, token) => sum + (typeof token === 'string' ? token.length : 1), 0);
    if (length > MAX_GAPPED || piece.some(isKey)) {
      throw new PolicyFault(
        place,
        `a part between two "*" that has a "?" may have at most ${MAX_GAPPED} characters and no variable`,
      );
    }
  }
}

function simpleOf([key, ...rest]: readonly Token[]): Simple | null {
  const isOpen = rest.at(-1) === ANY_TEXT;
  const [tail = '', ...more] = isOpen ? rest.slice(0, -1) : rest;
  return key !== undefined && isKey(key) && typeof tail === 'string' && more.length === 0
    ? { key, tail, isOpen }
    : null;
}

/** Whether a text is of the form, given the value of its variable, which begins at `start`. */
function isSimple({ tail, isOpen }: Simple, text: string, start: number, value: string): boolean {
  const at = start + value.length;
  const end = at + tail.length;
  if (isOpen ? text.length < end : text.length !== end) return false;
  return text.startsWith(value, start) && text.startsWith(tail, at);
}

const isKey = (token: Token): token is KeyReference => typeof token === 'object';

function split(tokens: readonly Token[]): Part[][] {
  const pieces: Part[][] = [[]];
  for (const token of tokens) {
    if (token === ANY_TEXT) pieces.push([]);
    else pieces.at(-1)!.push(token);
  }
  return pieces;
}

/**
 * The first piece stands at `start` and the last one at the end; each between them goes to its first place.
 * @returns the length of the text, NOWHERE or NO_VALUE
 */
function matchPieces(pieces: readonly Piece[], text: string, start: number, context: PolicyContext): number {
  let at = matchAt(pieces[0]!, text, start, context);
  if (pieces.length === 1) return at < 0 || at === text.length ? at : NOWHERE;
  for (let index = 1; index < pieces.length - 1 && at >= 0; index++) at = find(pieces[index]!, text, at, context);
  if (at < 0) return at;
  const last = pieces[pieces.length - 1]!;
  if (last.length === 0) return text.length;
  const length = lengthOf(last, context);
  if (length === NO_VALUE) return NO_VALUE;
  return text.length - length < at ? NOWHERE : matchAt(last, text, text.length - length, context);
}

/** Index after the first place of the piece, or NOWHERE or NO_VALUE. */
function find(piece: Piece, text: string, from: number, context: PolicyContext): number {
  let needle = '';
  for (const part of piece) {
    if (part === ANY_UNIT) return findGapped(piece, text, from, context);
    const literal = literalOf(part, context);
    if (literal === undefined) return NO_VALUE;
    needle += literal;
  }
  const at = findText(text, needle, from);
  return at < 0 ? NOWHERE : at + needle.length;
}

/** Of at most MAX_GAPPED units, without variables. */
function findGapped(piece: Piece, text: string, from: number, context: PolicyContext): number {
  const last = text.length - lengthOf(piece, context);
  for (let at = from; at <= last; at++) {
    const end = matchAt(piece, text, at, context);
    if (end >= 0) return end;
  }
  return NOWHERE;
}

/** Index after the piece when it stands at `start`, otherwise NOWHERE or NO_VALUE. */
function matchAt(piece: Piece, text: string, start: number, context: PolicyContext): number {
  let at = start;
  for (let index = 0; index < piece.length; index++) {
    const part = piece[index]!;
    if (part === ANY_UNIT) {
      if (at++ >= text.length) return NOWHERE;
      continue;
    }
    const literal = literalOf(part, context);
    if (literal === undefined) return NO_VALUE;
    if (!text.startsWith(literal, at)) return NOWHERE;
    at += literal.length;
  }
  return at;
}

/** UTF-16 units, or NO_VALUE. */
function lengthOf(piece: Piece, context: PolicyContext): number {
  let length = 0;
  for (const part of piece) {
    const literal = part === ANY_UNIT ? '?' : literalOf(part, context);
    if (literal === undefined) return NO_VALUE;
    length += literal.length;
  }
  return length;
}

function literalOf(part: string | KeyReference, context: PolicyContext): string | undefined {
  return typeof part === 'string' ? part : valueOf(part, context);
}
