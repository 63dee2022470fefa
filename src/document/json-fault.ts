/** Tokens that may come next, as the error text names them. */
const EXPECTED = {
  value: 'a value',
  firstElement: "a value or ']'",
  firstMember: "a member name in double quotes or '}'",
  member: 'a member name in double quotes',
  colon: "':'",
  end: 'the end',
} as const;

type State = keyof typeof EXPECTED | 'next';

const SPACE = /[ \t\r\n]*/y;
const LITERAL = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** The place where a text stops being JSON, and the token that should stand there. */
interface Fault {
  readonly at: number;
  readonly expected: string;
}

/**
 * Says where and why a text is not JSON, such as `line 2, column 7: expected ':', found "}"`; an empty string for valid
 * JSON. The engine's own message changes with its releases and echoes the text; this one names at most one character of
 * it. No errors.
 */
export function describeJsonFault(text: string): string {
  const fault = findFault(text);
  if (fault === null) return '';
  const before = text.slice(0, fault.at);
  const line = before.split('\n').length;
  const column = fault.at - before.lastIndexOf('\n');
  return `line ${line}, column ${column}: expected ${fault.expected}, found ${nameOf(text.codePointAt(fault.at))}`;
}

/** Has no recursion: the client chooses the depth. */
function findFault(text: string): Fault | null {
  const open: ('{' | '[')[] = [];
  let state = 'value' as State;
  let at = 0;
  for (;;) {
    at = endOf(SPACE, text, at);
    const char = text[at];
    if (state === 'end') return char === undefined ? null : { at, expected: EXPECTED.end };
    if (state === 'next') {
      const closing = open.at(-1) === '{' ? '}' : ']';
      if (char === ',') state = closing === '}' ? 'member' : 'value';
      else if (char === closing) state = afterClosing(open);
      else return { at, expected: `',' or '${closing}'` };
      at++;
    } else if (state === 'colon') {
      if (char !== ':') return { at, expected: EXPECTED.colon };
      state = 'value';
      at++;
    } else if ((state === 'firstMember' && char === '}') || (state === 'firstElement' && char === ']')) {
      state = afterClosing(open);
      at++;
    } else if (char === '"') {
      const end = endOfString(text, at);
      if (typeof end !== 'number') return end;
      at = end;
      state = state === 'member' || state === 'firstMember' ? 'colon' : afterValue(open);
    } else if (state === 'member' || state === 'firstMember') {
      return { at, expected: EXPECTED[state] };
    } else if (char === '{' || char === '[') {
      open.push(char);
      state = char === '{' ? 'firstMember' : 'firstElement';
      at++;
    } else {
      const end = endOf(LITERAL, text, at);
      if (end === at) return { at, expected: EXPECTED[state] };
      at = end;
      state = afterValue(open);
    }
  }
}

function afterClosing(open: unknown[]): State {
  open.pop();
  return afterValue(open);
}

function afterValue(open: readonly unknown[]): State {
  return open.length === 0 ? 'end' : 'next';
}

/** Index after the match of a sticky expression at `at`; `at` when it does not match. */
function endOf(expression: RegExp, text: string, at: number): number {
  expression.lastIndex = at;
  return expression.test(text) ? expression.lastIndex : at;
}

/** @param start index of the opening quote */
function endOfString(text: string, start: number): number | Fault {
  let at = start + 1;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return at + 1;
    if (code === 0x5c) {
      const end = endOf(ESCAPE, text, at);
      if (end === at) return { at, expected: 'an escape such as \\n or \\u00e9' };
      at = end;
    } else if (Number.isNaN(code)) {
      return { at, expected: "'\"' at the end of the string" };
    } else if (code < 0x20) {
      return { at, expected: 'an escape in place of a control character' };
    } else {
      at++;
    }
  }
}

function nameOf(code: number | undefined): string {
  if (code === undefined) return 'the end';
  const isPlain = code > 0x20 && code < 0x7f;
  return isPlain ? JSON.stringify(String.fromCodePoint(code)) : `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
}
