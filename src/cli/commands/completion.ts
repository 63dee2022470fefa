import { Argument, type Command } from 'commander';
import { action, type Session } from '../session.js';
import type { Surroundings } from '../surroundings.js';

const SHELLS = { bash, zsh, fish } as const;

/** Adds `completion`. No errors. */
export function completionCommand(program: Command, around: Surroundings): void {
  program
    .command('completion')
    .description('Prints the completion of commands and options for a shell, such as: source <(umbra completion bash)')
    .addArgument(new Argument('<shell>', 'bash, zsh or fish').choices(Object.keys(SHELLS)))
    .action(action(around, ({ out }: Session, [shell]) => out.raw(SHELLS[shell as keyof typeof SHELLS](program))));
}

/** A command and all below it, with the words that lead to it. */
function all(command: Command, before: readonly string[] = []): { command: Command; path: readonly string[] }[] {
  const path = [...before, command.name()];
  return [{ command, path }, ...command.commands.flatMap((each) => all(each, path))];
}

const optionsOf = (program: Command, command: Command): string[] =>
  [...new Set([...command.options, ...program.options])].flatMap(({ long }) => long ?? []);

/** For zsh too, in which `path` is PATH, and a colon before a letter a modifier. */
function bash(program: Command): string {
  const commands = all(program);
  const paths = commands.slice(1).map(({ path }) => `'${path.join(' ')}'`);
  const words = commands.map(({ command, path }) => {
    const each = [...command.commands.map((below) => below.name()), ...optionsOf(program, command), '--help'];
    return `    '${path.join(' ')}') words='${each.join(' ')}' ;;`;
  });
  return `_umbra() {
  local at=umbra word words=
  for word in "\${COMP_WORDS[@]:1:$((COMP_CWORD - 1))}"; do
    case "$at $word" in
      ${paths.join(' | ')}) at="$at $word" ;;
    esac
  done
  case "$at" in
${words.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _umbra umbra
`;
}

function zsh(program: Command): string {
  return `autoload -U +X bashcompinit && bashcompinit\n${bash(program)}`;
}

function fish(program: Command): string {
  const quoted = (text: string): string => `'${text.replace(/['\\]/g, '\\$&')}'`;
  const lines = all(program).flatMap(({ command, path }) => {
    const [, parent] = path;
    const seen = path.slice(1).map((word) => `__fish_seen_subcommand_from ${word}`);
    // All words that lead there: `create` alone is a subcommand of many.
    const where = parent === undefined ? '__fish_use_subcommand' : seen.join('; and ');
    const below = command.commands.map(
      (each) => `complete -c umbra -f -n ${quoted(where)} -a ${each.name()} -d ${quoted(each.description())}`,
    );
    const options = command.options.map(({ long, description, required }) => {
      const condition = parent === undefined ? '' : ` -n ${quoted(where)}`;
      return `complete -c umbra${condition} -l ${long?.slice(2)}${required ? ' -r' : ''} -d ${quoted(description)}`;
    });
    return [...below, ...options];
  });
  return `${lines.join('\n')}\n`;
}
