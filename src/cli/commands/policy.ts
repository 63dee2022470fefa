import type { Command } from 'commander';
import { action, later, type Run } from '../session.js';
import type { Surroundings } from '../surroundings.js';
import { administer, positive } from './options.js';

const FILE = 'a JSON file with an AWS IoT policy document; - is stdin';
const NAME = ['--name <name>', 'name of the policy; that in the file, or else that of the file, by default'] as const;

/** Adds `policy` with its subcommands. No errors. */
export function policyCommand(program: Command, around: Surroundings): void {
  const policy = program
    .command('policy')
    .description('Shows, checks and changes policies: who may do what.')
    .helpCommand(false);
  const add: Add = (name, description, run) => administer(policy, name, description).action(action(around, later(run)));
  stored(add);
  filed(add);
  add('explain', 'Says whether a principal may do something, and which statement decides.', async () => {
    return (await import('../policy/explain.js')).explain;
  })
    .argument('<principal>', 'its id')
    .argument('<action>', 'such as iot:GetThingShadow')
    .argument('<resource>', 'thing/NAME[/SHADOW], topic/T, topicfilter/F, client/ID or tenant/NAME')
    .option('--client-id <id>', 'as if this client of MQTT asked')
    .option('--address <address>', 'as if it asked from this address')
    .option('--all', 'show all statements that the principal is subject to')
    .option('--exit-code', 'end with 4 if it may not');
}

type Add = (name: string, description: string, run: () => Promise<Run>) => Command;

/** What is about policies as the service has them. */
function stored(add: Add): void {
  const runs = () => import('../policy/kept.js');
  add('list', 'Lists the policies, and the built-in roles.', async () => (await runs()).list);
  add('get', 'Shows a policy and which of its versions are kept.', async () => (await runs()).get)
    .argument('<policy>', 'its name, or role:viewer and its like for a built-in one')
    .option('--document', 'print the document alone, for a file');
  add(
    'rollback',
    'Makes an earlier version count. The service keeps the last five.',
    async () => (await runs()).rollback,
  )
    .argument('<policy>')
    .option('--to <version>', 'this one; the one before that which counts, by default', positive);
  add('delete', 'Deletes a policy that nobody has any more.', async () => (await runs()).remove).argument('<policy>');
}

/** What is about policies in files. */
function filed(add: Add): void {
  const runs = () => import('../policy/apply.js');
  add(
    'apply',
    'Makes policies as files say. All files are checked before the first policy is sent; what is so already stays.',
    async () => (await runs()).apply,
  )
    .argument('<files...>', FILE)
    .option(...NAME)
    .option('--dry-run', 'say what would change, and change nothing');
  add('diff', 'Shows in what a file differs from the policy that the service has.', async () => (await runs()).diff)
    .argument('<file>', FILE)
    .option(...NAME)
    .option('--exit-code', 'end with 1 if they differ');
  add(
    'import',
    'Makes a policy of what `aws iot get-policy` prints: the whole of it, or nothing.',
    async () => (await runs()).importPolicy,
  )
    .argument('<file>', 'what aws iot get-policy or get-policy-version has printed, or a document; - is stdin')
    .option(...NAME)
    .option('--replace', 'also if there is a policy of this name')
    .option('--dry-run', 'only check it, with a look at the service');
}
