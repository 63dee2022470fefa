import type { Cell } from './output.js';

/** A value that differs, by its JSON Pointer. A member that is absent is not there on that side. */
export interface Difference {
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** What differs between two values of JSON; the order of members does not count. No errors. */
export function differencesOf(before: unknown, after: unknown, path = ''): Difference[] {
  if (isHolder(before) && isHolder(after) && Array.isArray(before) === Array.isArray(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return names.flatMap((name) => {
      const at = `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      if (!Object.hasOwn(before, name)) return [{ path: at, after: after[name] }];
      if (!Object.hasOwn(after, name)) return [{ path: at, before: before[name] }];
      return differencesOf(before[name], after[name], at);
    });
  }
  return before === after ? [] : [{ path, before, after }];
}

type Holder = Record<string, unknown>;
const isHolder = (value: unknown): value is Holder => typeof value === 'object' && value !== null;

/** Both values as JSON, line by line: `-` goes, `+` comes, and all others stay. No errors. */
export function differenceLines(before: unknown, after: unknown): (string | Cell)[] {
  const linesOf = (value: unknown): string[] =>
    value === undefined ? [] : JSON.stringify(value, null, 2).split('\n').map(plain);
  return align(linesOf(before), linesOf(inOrderOf(before, after))).map(({ sign, line }) =>
    sign === ' ' ? `  ${line}` : { text: `${sign} ${line}`, style: sign === '-' ? 'red' : 'green' },
  );
}

/** Without the comma between members, which says nothing and makes lines differ. */
const plain = (line: string): string => line.replace(/,$/, '');

/** The value with its members in the order of another one, so that only what differs shows. */
function inOrderOf(model: unknown, value: unknown): unknown {
  if (!isHolder(model) || !isHolder(value)) return value;
  if (Array.isArray(value)) return value.map((each, index) => inOrderOf(model[index], each));
  const names = [...Object.keys(model).filter((name) => Object.hasOwn(value, name)), ...Object.keys(value)];
  return Object.fromEntries([...new Set(names)].map((name) => [name, inOrderOf(model[name], value[name])]));
}

interface Line {
  readonly sign: '-' | '+' | ' ';
  readonly line: string;
}

/** Cells of the table of common lines. Texts with more than that are shown as wholly replaced. */
const MAX_CELLS = 16_000_000;

/** The shortest way from one list of lines to the other, by their longest common subsequence. */
function align(before: readonly string[], after: readonly string[]): Line[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let [a, b] = [before.length, after.length];
  while (a > head && b > head && before[a - 1] === after[b - 1]) [a, b] = [a - 1, b - 1];
  const signed = (sign: Line['sign'], lines: readonly string[]): Line[] => lines.map((line) => ({ sign, line }));
  return [
    ...signed(' ', before.slice(0, head)),
    ...middle(before.slice(head, a), after.slice(head, b)),
    ...signed(' ', before.slice(a)),
  ];
}

function middle(before: readonly string[], after: readonly string[]): Line[] {
  const width = after.length + 1;
  const isSmall = width * (before.length + 1) <= MAX_CELLS;
  const common = isSmall ? commonLengths(before, after) : null;
  const lines: Line[] = [];
  for (let [a, b] = [0, 0]; a < before.length || b < after.length;) {
    const [old, fresh] = [before[a], after[b]];
    const below = common?.[(a + 1) * width + b] ?? 0;
    if (common && old !== undefined && old === fresh) {
      lines.push({ sign: ' ', line: old });
      [a, b] = [a + 1, b + 1];
    } else if (old !== undefined && (b >= after.length || below >= (common?.[a * width + b + 1] ?? 0))) {
      lines.push({ sign: '-', line: old });
      a++;
    } else {
      lines.push({ sign: '+', line: fresh! });
      b++;
    }
  }
  return lines;
}

/** For each pair of places how many lines the rests have in common. */
function commonLengths(before: readonly string[], after: readonly string[]): Uint32Array {
  const width = after.length + 1;
  const table = new Uint32Array(width * (before.length + 1));
  for (let a = before.length - 1; a >= 0; a--)
    for (let b = after.length - 1; b >= 0; b--)
      table[a * width + b] =
        before[a] === after[b]
          ? table[(a + 1) * width + b + 1]! + 1
          : Math.max(table[(a + 1) * width + b]!, table[a * width + b + 1]!);
  return table;
}
