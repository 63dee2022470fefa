import type { AnyState } from '../../sdk/index.js';
import { usage } from '../exit-code.js';
import { nameOf, parseJson, textOf } from '../json-file.js';
import type { Session } from '../session.js';

/** Levels of members in an assignment; a node takes fewer. */
const MAX_DEPTH = 32;

/** `lamp-1` or `lamp-1/net`. */
export interface Target {
  readonly thing: string;
  /** null: the classic shadow. */
  readonly shadow: string | null;
  /** As it was given. */
  readonly text: string;
}

/** The service judges the names. @throws CliError */
export function targetOf(text: string): Target {
  const [thing = '', shadow = null, ...more] = text.split('/');
  if (thing === '' || shadow === '' || more.length > 0)
    throw usage(`${JSON.stringify(text)} is neither THING nor THING/SHADOW`);
  return { thing, shadow, text };
}

/**
 * The members of a section: from a file, or from assignments such as `power=on`, `color.r=5` and `/a.b/c=null`.
 * @throws CliError with the place of what is wrong
 */
export async function membersOf(
  session: Session,
  file: string | undefined,
  given: readonly string[],
): Promise<AnyState> {
  if ((file === undefined) === (given.length === 0))
    throw usage('give either assignments such as power=on, or --file FILE');
  if (file === '-' && session.options.keyFile === '-') throw usage('stdin cannot be both the key and the file');
  return file === undefined ? assigned(given) : fromFile(session, file);
}

async function fromFile({ around }: Session, file: string): Promise<AnyState> {
  const { value, placeOf } = await parseJson(await textOf(file, around), nameOf(file));
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw usage(`${placeOf([])}: the members of a section must be an object, such as {"power": "on"}`);
  return value as AnyState;
}

function assigned(given: readonly string[]): AnyState {
  const members = newMembers();
  for (const assignment of given) {
    const [path, value] = split(assignment);
    let at = members;
    for (const name of path.slice(0, -1)) {
      const next = (at[name] ??= newMembers()) as unknown;
      if (typeof next !== 'object' || next === null || Array.isArray(next))
        throw usage(`${assignment} is inside of a value that is given too`);
      at = next as AnyState;
    }
    const last = path.at(-1)!;
    if (last in at) throw usage(`${assignment} gives a member that is given already`);
    at[last] = value;
  }
  return members;
}

/** Without a prototype, so that `__proto__` is a name as any other. */
const newMembers = (): AnyState => Object.create(null) as AnyState;

function split(assignment: string): [path: string[], value: unknown] {
  const sign = assignment.indexOf('=');
  const name = assignment.slice(0, Math.max(sign, 0));
  const path = name.startsWith('/')
    ? name
        .slice(1)
        .split('/')
        .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    : name.split('.');
  if (sign < 1 || path.includes('') || path.length > MAX_DEPTH)
    throw usage(`${JSON.stringify(assignment)} is no assignment, such as power=on or color.r=5`);
  return [path, valueOf(assignment.slice(sign + 1))];
}

/** JSON if it is some, else the text itself. */
function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
