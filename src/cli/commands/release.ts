import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Window } from '../admin/release-window.js';
import { action, later } from '../session.js';
import type { Surroundings } from '../surroundings.js';
import { duration, label, positive, times } from './options.js';

/** Adds the commands of `ops` by which versions change. No errors. */
export function releaseCommands(ops: Command, around: Surroundings): void {
  checklist(ops, 'preflight')
    .description('Checks before a change: nodes, etcd, configuration, and with Prometheus lag and certificates.')
    .action(
      action(
        around,
        later(async () => (await import('../admin/preflight.js')).preflight),
      ),
    );
  release(ops, around);
  canary(ops, around);
  rollback(ops, around);
}

const checklist = (ops: Command, name: string): Command =>
  ops
    .command(name)
    .option('--nodes <count>', 'that must live', positive, 2)
    .option('--prometheus <url>', 'that scrapes the nodes, for the lag of the feed, certificates and all nodes')
    .option('--tree <folder>', 'in which no file may have a secret, such as that of the manifests');

function release(ops: Command, around: Surroundings): void {
  checklist(ops, 'release')
    .description(
      'Lets a release in: in a window, with a complete form, compatible records and the preflight; keeps the form.',
    )
    .argument('[file]', 'the form, YAML or JSON; - is stdin')
    .option('--template', 'print a form to fill in, with what the nodes say of the version that runs')
    .addOption(
      new Option('--window <from-to>', 'in which releases begin, such as 02:00-04:00; may be repeated')
        .argParser(window)
        .default(WINDOWS, '02:00-04:00 and 14:00-16:00'),
    )
    .option('--time-zone <zone>', 'of the windows, such as Europe/Berlin', 'UTC')
    .option('--outside-window', 'release although no window is open')
    .option('--reason <text>', 'why that cannot wait; it is kept with the form')
    .option('--forms <folder>', 'in which the forms are kept', 'releases')
    .action(
      action(
        around,
        later(async () => (await import('../admin/release.js')).release),
      ),
    );
}

function canary(ops: Command, around: Surroundings): void {
  ops
    .command('canary')
    .description('Judges the nodes of one version against the others: failed requests and P99, by Prometheus.')
    .argument('[version]', 'to judge; of two, the one that fewer nodes run', label)
    .requiredOption('--prometheus <url>', 'that scrapes the nodes')
    .option('--job <job>', 'of the nodes in Prometheus', label, 'umbra')
    .option('--window <duration>', 'over which they are compared; the nodes have to run for so long', duration, 600)
    .option('--requests <count>', 'that each side must have had in it', positive, 1_000)
    .option('--errors <times>', 'the share of failed requests of the others, at most', times, 2)
    .option('--latency <times>', 'the P99 of the others, at most', times, 1.5)
    .action(
      action(
        around,
        later(async () => (await import('../admin/canary.js')).canary),
      ),
    );
}

function rollback(ops: Command, around: Surroundings): void {
  ops
    .command('rollback')
    .description('Brings the version before back, waits until all nodes run it and are ready, and watches their times.')
    .option('--to <version>', 'the version that is to come back', label)
    .option('--form <file>', 'that the release has kept, which says the version before')
    .option('--workload <kind/name>', 'by kubectl rollout undo, such as deployment/umbra', workload)
    .option('--namespace <namespace>', 'of the workload', kubernetesName, 'umbra')
    .option('--revision <number>', 'of the workload; the one before by default', positive)
    .option('--command <file>', 'by a program of your own, which gets the version as its only argument')
    .option('--by-hand', 'by yourself: the command only waits and watches')
    .option('--within <duration>', 'in which all nodes have to be back', duration, 180)
    .option('--nodes <count>', 'that have to live then; as many as now by default', positive)
    .option('--prometheus <url>', 'that scrapes the nodes, for their readiness and their times')
    .option('--job <job>', 'of the nodes in Prometheus', label, 'umbra')
    .option('--p99 <ms>', 'that the times have to stay below', positive, 120)
    .option('--watch <duration>', 'for which they have to; 5m by default', duration)
    .option('--no-watch', 'end as soon as the nodes are back')
    .option('--dry-run', 'show what would be done, and change nothing')
    .action(
      action(
        around,
        later(async () => (await import('../admin/rollback.js')).rollback),
      ),
    );
}

/** Minutes since midnight. */
const WINDOWS: readonly Window[] = [
  { from: 120, to: 240 },
  { from: 840, to: 960 },
];

/** The first one that is given replaces those by default. @throws InvalidArgumentError */
function window(text: string, before: readonly Window[]): readonly Window[] {
  const [, ...numbers] = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$/.exec(text) ?? [];
  const [fromHour, fromMinute, toHour, toMinute] = numbers.map(Number);
  if (numbers.length === 0) throw new InvalidArgumentError('Use times of the day, such as 22:30-01:00.');
  const made = { from: fromHour! * 60 + fromMinute!, to: toHour! * 60 + toMinute! };
  if (made.from === made.to) throw new InvalidArgumentError('A window needs two different times.');
  return before === WINDOWS ? [made] : [...before, made];
}

/** Names of Kubernetes begin with no dash, so that none is an option. @throws InvalidArgumentError */
function kubernetesName(text: string): string {
  if (!/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(text)) throw new InvalidArgumentError('Use a name of Kubernetes.');
  return text;
}

/** @throws InvalidArgumentError */
function workload(text: string): string {
  const [, name] = /^(?:deployment|statefulset)\/(.+)$/.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError('Use deployment/NAME or statefulset/NAME.');
  return text.slice(0, -name.length) + kubernetesName(name);
}
