import { InvalidArgumentError, Option, type Command } from 'commander';
import type { ShadowState } from '../../sdk/index.js';
import { CliError, EXIT, usage } from '../exit-code.js';
import { action, type Run, type Session } from '../session.js';
import type { Surroundings } from '../surroundings.js';
import { membersOf, targetOf, type Target } from './state-arguments.js';

const TARGET = ['<target>', 'THING for its classic shadow, THING/SHADOW for a named one'] as const;
const ASSIGNMENTS = [
  '[assignments...]',
  'NAME=VALUE; NAME is a member, a path such as color.r, or a JSON Pointer; VALUE is JSON, or else a text',
] as const;

type Condition = number | 'exists' | 'absent';

interface WriteGiven {
  readonly section: 'desired' | 'reported';
  readonly file?: string;
  readonly ifVersion?: Condition;
  readonly clientToken?: string;
}

/** A version as `ifVersion` of the library takes it. @throws InvalidArgumentError */
function condition(text: string): Condition {
  if (text === 'exists' || text === 'absent') return text;
  const version = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(version) || version === 0)
    throw new InvalidArgumentError('Use a version from 1, exists or absent.');
  return version;
}

/** Adds `get`, `set`, `patch` and `delete`. No errors. */
export function shadowCommands(program: Command, around: Surroundings): void {
  program
    .command('get')
    .description('Shows a shadow.')
    .argument(...TARGET)
    .action(action(around, get));
  writer(
    program,
    'set',
    'Replaces a section of a shadow: what is not given is removed.',
    action(around, write('replace')),
  );
  writer(
    program,
    'patch',
    'Merges into a section of a shadow: what is not given stays, null removes.',
    action(around, write('patch')),
  );
  program
    .command('delete')
    .description('Deletes a shadow.')
    .argument(...TARGET)
    .option('--all', 'delete all shadows of the thing, one after the other')
    .option('--if-version <version>', 'only if this is its version', condition)
    .action(action(around, remove));
}

function writer(
  program: Command,
  name: string,
  description: string,
  run: (...given: unknown[]) => Promise<void>,
): void {
  program
    .command(name)
    .description(description)
    .argument(...TARGET)
    .argument(...ASSIGNMENTS)
    .option('--file <file>', 'take the members from a file with a JSON object; - is stdin')
    .addOption(new Option('--section <section>', 'which one').choices(['desired', 'reported']).default('desired'))
    .option('--if-version <version>', 'only if this is its version, or if the shadow exists, or is absent', condition)
    .option('--client-token <token>', 'comes with the change in streams and messages')
    .action(run);
}

/** What is shown of a shadow to people. No errors. */
export function textOfState(state: ShadowState): string {
  const { thing, shadow, version, changedAt, desired, reported, delta } = state;
  const name = shadow === null ? thing : `${thing}/${shadow}`;
  const head = `${name}  version ${version}${changedAt === null ? '' : `  changed ${changedAt}`}`;
  const sections = { desired, reported, ...(delta !== null && { delta }) };
  return [
    head,
    ...Object.entries(sections).map(([section, value]) => `${section} ${JSON.stringify(value, null, 2)}`),
  ].join('\n');
}

const shadowOf = async (session: Session, { thing, shadow }: Target) =>
  (await session.umbra()).thing(thing).shadow(shadow);

async function get(session: Session, [text = '']: readonly string[]): Promise<void> {
  const target = targetOf(text);
  const shadow = await shadowOf(session, target);
  const state = await shadow.get({ signal: session.around.signal });
  if (state === null) throw new CliError(EXIT.notFound, `there is no shadow ${target.text}`);
  await session.out.say(state, textOfState(state));
}

const write =
  (how: 'replace' | 'patch'): Run =>
  async (session, [text = '', ...assignments], options) => {
    const { section, file, ifVersion, clientToken } = options as unknown as WriteGiven;
    if (how === 'replace' && clientToken !== undefined) throw usage('set has no client token: use patch');
    const target = targetOf(text);
    const members = await membersOf(session, file, assignments);
    const shadow = await shadowOf(session, target);
    const state = await shadow[section][how](members, { ifVersion, clientToken, signal: session.around.signal });
    await session.out.say(state, `${target.text}  version ${state.version}`);
  };

async function remove(session: Session, [text = '']: readonly string[], options: Readonly<Record<string, unknown>>) {
  const { all, ifVersion } = options as { all?: boolean; ifVersion?: Condition };
  const target = targetOf(text);
  const { signal } = session.around;
  if (!all) {
    await session.confirm(`Delete the shadow ${target.text}?`);
    const { version, revision } = await (await shadowOf(session, target)).delete({ ifVersion, signal });
    return session.out.say(
      { thing: target.thing, shadow: target.shadow, version, revision },
      `${target.text} is deleted`,
    );
  }
  if (target.shadow !== null || ifVersion !== undefined)
    throw usage('--all is for a whole thing, without --if-version');
  await session.confirm(`Delete all shadows of ${target.thing}?`);
  const { deleted } = await (await session.umbra()).thing(target.thing).delete({ signal });
  await session.out.say({ thing: target.thing, deleted }, `${deleted.length} shadows of ${target.thing} are deleted`);
}
