import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Lab } from '../lab.js';

/** Starts a program of peers/ that prints its port when it is ready: what a door costs without the service behind it. */
export async function bareServer(
  lab: Lab,
  program: string,
  args: readonly string[] = [],
): Promise<{ port: number; pid: number }> {
  const path = join(fileURLToPath(import.meta.url), '..', '..', 'peers', `${program}.js`);
  const child = spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  lab.onEnd(() => void child.kill('SIGKILL'));
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout.once('data', (text: Buffer) => resolve(Number(text.toString())));
    child.once('exit', () => reject(new Error(`${program} ended`)));
  });
  return { port, pid: child.pid ?? -1 };
}
