import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

/** How `umbra` ended, and what others could see of it. */
export interface CommandRun {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Its arguments and environment, as /proc shows them while it runs. */
  readonly visible: string;
}

/** Milliseconds after which a run is ended. */
const LONGEST_MS = 60_000;

let isBuilt = false;

/**
 * Runs the real program `umbra`, which it builds first.
 * @param config folder of its configuration
 * @param interrupt what is on stdout when it gets SIGINT
 * @param heard is called with stdout and stderr, each time that there is more of one
 */
export async function runCommand(
  args: readonly string[],
  config: string,
  {
    stdin = '',
    interrupt,
    heard,
  }: { stdin?: string; interrupt?: string; heard?: (stdout: string, stderr: string) => void } = {},
): Promise<CommandRun> {
  if (!isBuilt) execFileSync(process.execPath, ['src/cli/build.mjs']);
  isBuilt = true;
  const child = spawn(process.execPath, ['src/cli/dist/main.js', ...args], {
    env: { PATH: process.env['PATH'], XDG_CONFIG_HOME: config },
    timeout: LONGEST_MS,
  });
  const visible = ['cmdline', 'environ'].map((file) => readFileSync(`/proc/${child.pid}/${file}`, 'utf8')).join('\0');
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
      heard?.(said.stdout, said.stderr);
      if (interrupt !== undefined && said.stdout.includes(interrupt)) child.kill('SIGINT');
    });
  child.stdin.end(stdin);
  const [exit] = (await once(child, 'close')) as [number | null];
  return { exit, ...said, visible };
}
