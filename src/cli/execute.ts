import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { usage } from './exit-code.js';
import type { Executed, Surroundings } from './surroundings.js';

/** Characters of its last words that are kept. */
const MOST_SAID = 8_192;
/** Milliseconds from the request to end until it is ended. */
const PATIENCE_MS = 2_000;
/** Milliseconds that its last words may take: what it has started may hold its outputs open. */
const LAST_WORDS_MS = 200;

export interface ExecuteOptions {
  /** Milliseconds. */
  readonly limitMs: number;
  /** All of it: kubectl finds its cluster by KUBECONFIG, HOME and the variables of clouds. No credential of ours is in it. */
  readonly env: Surroundings['env'];
  readonly signal: AbortSignal;
}

/**
 * Runs a program to its end, without a shell and without input. At the limit it is ended, with what it has started.
 * @throws CliError if it cannot be started
 */
export async function execute(
  program: string,
  args: readonly string[],
  { limitMs, env, signal }: ExecuteOptions,
): Promise<Executed> {
  // Timers take whole milliseconds alone.
  const limit = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(limitMs))]);
  // A group of its own, so that it ends as a whole.
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const ended = once(child, 'exit') as Promise<[code: number | null]>;
  const closed = once(child, 'close').catch(() => undefined);
  let said = '';
  for (const output of [child.stdout, child.stderr])
    output.setEncoding('utf8').on('data', (text: string) => void (said = (said + text).slice(-MOST_SAID)));
  const end = (): void => endGroup(child);
  if (limit.aborted) end();
  limit.addEventListener('abort', end);
  try {
    const [exit] = await ended;
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS))]);
    return { exit, said: said.trim() };
  } catch (error) {
    throw usage(`${program} cannot be started (${(error as NodeJS.ErrnoException).code})`);
  } finally {
    limit.removeEventListener('abort', end);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

function endGroup(child: ChildProcess): void {
  signalGroup(child, 'SIGTERM');
  const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), PATIENCE_MS);
  child.once('exit', () => clearTimeout(timer));
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // It has ended by itself.
  }
}
