import type { Argument, Command, Option } from 'commander';
import { EXIT_MEANINGS } from './exit-code.js';

/** What the commands do not say of themselves. */
const ABOUT = `# The command line

\`umbra\` reads, changes and follows shadows from a terminal or a script. It is a package of its own, \`@umbra/cli\`, which
asks a service through [the client library](sdk.md) as any application does, and runs on Node 20.19 and later.
\`npm run build -w @umbra/cli\` makes it; \`npm link -w @umbra/cli\` puts \`umbra\` on the path.

This page is made from the commands by \`npm run docs:cli\`; \`umbra COMMAND --help\` shows the same.

## Contexts and credentials

A context is a server, a credential and a tenant under a name. Contexts are kept in
\`$XDG_CONFIG_HOME/umbra/config.json\`, which is \`~/.config/umbra/config.json\` by default. Only its owner may read the
file, and one that is open to others is refused. Commands that change it at the same time take turns, so that none undoes
what another one has done.

\`\`\`
umbra init home --server https://umbra.example
umbra login home
umbra login home --issuer https://login.example.com/realms/acme --client-id umbra-cli
umbra context set other --server https://other.example --key-file key.txt
umbra context use home
\`\`\`

\`init\` is for the beginning: it checks the server and the key, keeps them, and makes a tenant and a first device with its
key, as far as they are wanted. It asks for what is not given, and nothing with \`--yes\`. \`login\` asks for a key or takes
one by \`--key-file\`, and keeps it once the service has taken it. With \`--issuer\` people sign in at an OpenID provider
that the tenant has registered ([security.md](security.md#issuers)): by the browser of this machine, which comes back to
\`http://127.0.0.1:PORT/callback\`, or by \`--device-code\`. The command there is a public client without a secret. Its
tokens are kept in the folder \`tokens\` beside the contexts, and renewed when a command needs them. A login that fails
leaves the former one as it was. One that is replaced or forgotten is ended at its provider, as far as that can be
reached.

A key or access token comes from a file, from stdin (\`--key-file -\`) or from a question on the terminal. It is never an
argument, because other users of the machine see those; a command line with a key in it is refused. Without a key none is
sent, as nodes without authentication want it. With \`--server\` nothing of a context is used, and a context that gets
another server forgets its credential and its tenant: a key goes only to the server that it was given for. For a server
whose certificate comes from an authority of your own, set \`NODE_EXTRA_CA_CERTS\` to the file of that authority.

Commands that administer clients, devices and the like do so in the tenant that \`--tenant\` names, else in that of the
context, else in that of the credential. Shadows are always those of the tenant of the credential.

Keys that the service makes, and private keys, go into a file that only its owner may read, and are said nowhere else. A
file that exists is replaced with \`--force\` alone.

## A device with a certificate

\`\`\`
umbra ca create --name "Acme devices" --out ca.crt --key-out ca.key
umbra ca register ca.crt --ca-key ca.key
umbra device create lamp
umbra device cert lamp --ca ca.crt --ca-key ca.key --out lamp.crt --key-out lamp.key
umbra device revoke lamp --reason lost
\`\`\`

Private keys are made here and sent nowhere; a device that makes its own sends a request (\`umbra device csr\`), and gets its
certificate by \`--csr\`. [clients.md](clients.md#devices-by-certificate) has what the service takes. A device without
certificates gets a key by \`umbra device create lamp --key-out lamp.key\`.

## Output

People get tables and texts. \`--json\` prints one JSON object a line on stdout, and an error as
\`{"error": {"code", "message", "exit", …}}\` on stderr. Colours and questions are for terminals: elsewhere nothing is
coloured, and a command that would ask wants \`--yes\`. \`NO_COLOR\` and \`--no-color\` turn colours off. Control
characters in names and values are shown as \`\\u001b\`, so that they cannot command the terminal.

A file is checked before anything is sent, and refused with its name, line and column. A command that fails half-way says
on stderr what it has made until then, and which command goes on from there or takes it back.

## Policies

Policies are AWS IoT policy documents ([security.md](security.md#principals-keys-policies)). A file is judged by the code
that the service judges it with, and every fault is told by its place. What the service accepts and never asks for, such
as an action of another service of AWS, is a note.

\`\`\`
umbra policy get lamp --document > lamp.json
umbra policy diff lamp.json
umbra policy apply lamp.json
aws iot get-policy --policy-name Lamp | umbra policy import -
umbra policy explain ada iot:UpdateThingShadow thing/lamp-1
\`\`\`
`;

/** docs/cli.md, before prettier has formatted it. No errors. */
export function pageOf(program: Command): string {
  const commands = program.commands.flatMap(leaves);
  return [
    ABOUT,
    `## Exit codes\n\n${table(
      ['Code', 'Meaning'],
      EXIT_MEANINGS.map(([code, meaning]) => [`${code}`, meaning]),
    )}`,
    `## Options of every command\n\n${optionsOf(program.options)}`,
    '## Commands',
    ...commands.map(sectionOf),
  ].join('\n\n');
}

/** Commands that do something, with those that only hold them left out. */
const leaves = (command: Command): Command[] =>
  command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);

/** With the names of those that hold it. */
function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

function sectionOf(command: Command): string {
  const given = command.registeredArguments;
  const usage = [nameOf(command), ...(command.options.length > 0 ? ['[options]'] : []), ...given.map(argument)].join(
    ' ',
  );
  const described = given.filter(({ description }) => description !== '');
  return [
    `### \`${usage}\``,
    command.description(),
    ...(described.length > 0
      ? [
          table(
            ['Argument', 'Is'],
            described.map((each) => [`\`${each.name()}\``, each.description]),
          ),
        ]
      : []),
    ...(command.options.length > 0 ? [optionsOf(command.options)] : []),
  ].join('\n\n');
}

function argument(each: Argument): string {
  const name = each.name() + (each.variadic ? '...' : '');
  return each.required ? `<${name}>` : `[${name}]`;
}

const optionsOf = (options: readonly Option[]): string =>
  table(
    ['Option', 'Does'],
    options.map(({ flags, description }) => [`\`${flags}\``, description]),
  );

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows]
    .map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n');
