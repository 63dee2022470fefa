import type { Command } from 'commander';
import { action, later } from '../session.js';
import type { Surroundings } from '../surroundings.js';
import { duration, percent, positive } from './options.js';
import { releaseCommands } from './release.js';

/** Adds `ops` with its subcommands. No errors. */
export function opsCommand(program: Command, around: Surroundings): void {
  const ops = program.command('ops').description('Operates the nodes of the service.').helpCommand(false);
  ops
    .command('status')
    .description('Shows how a node is: its parts and their failures, the members of etcd, and all nodes that live.')
    .action(
      action(
        around,
        later(async () => (await import('../admin/node-status.js')).status),
      ),
    );
  releaseCommands(ops, around);
  connections(ops, around);
  config(ops, around);
}

function connections(ops: Command, around: Surroundings): void {
  const load = () => import('../admin/rebalance.js');
  ops
    .command('nodes')
    .description('Lists the nodes that live with their MQTT connections.')
    .action(
      action(
        around,
        later(async () => (await load()).nodes),
      ),
    );
  ops
    .command('rebalance')
    .description('Has nodes with more MQTT connections than the mean ask some clients to use another node.')
    .option('--dry-run', 'show what each node would shed, and change nothing')
    .option('--spread <duration>', 'over which a node sheds them; UMBRA_DRAIN_SPREAD_MS by default', duration)
    .option('--within <percent>', 'of the mean that no node may be away from it at the end', percent, 20)
    .option(
      '--rounds <count>',
      'at most; a balancer may lead clients back to the node that they come from',
      positive,
      5,
    )
    .action(
      action(
        around,
        later(async () => (await load()).rebalance),
      ),
    );
}

function config(ops: Command, around: Surroundings): void {
  const group = ops
    .command('config')
    .description('Changes how nodes run, without a restart: a file is staged, each node looks at it, it is promoted.')
    .helpCommand(false);
  const load = () => import('../admin/runtime-config.js');
  group
    .command('get')
    .description('Shows what is live, what is staged, and what each node follows.')
    .action(
      action(
        around,
        later(async () => (await load()).get),
      ),
    );
  group
    .command('stage')
    .description('Has all nodes look at a file, and shows what they say. Nothing changes yet.')
    .argument('<file>', 'JSON: {"logLevel": "debug", "flags": {"bulk": false}}; - is stdin')
    .action(
      action(
        around,
        later(async () => (await load()).stage),
      ),
    );
  group
    .command('promote')
    .description('Makes the staged file live on all nodes, if all of them take it.')
    .action(
      action(
        around,
        later(async () => (await load()).promote),
      ),
    );
  group
    .command('rollback')
    .description('Makes an earlier version live again.')
    .argument('[version]', 'the one before the live one by default', positive)
    .action(
      action(
        around,
        later(async () => (await load()).rollback),
      ),
    );
  group
    .command('history')
    .description('Lists the last ten versions that were live, the latest first.')
    .action(
      action(
        around,
        later(async () => (await load()).history),
      ),
    );
}
