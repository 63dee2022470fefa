import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const TIMEOUT_MS = 120_000;

/**
 * Runs a client script of test/e2e/clients in its own process, since the native parts of the SDKs and Jest's sandbox do
 * not go together, and returns the JSON that it prints last.
 */
export async function runClient<T>(script: string, options: object): Promise<T> {
  const path = join(process.cwd(), 'test', 'e2e', 'clients', script);
  const child = spawn(process.execPath, ['--no-deprecation', path, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const killAtExit = (): void => void child.kill('SIGKILL');
  process.once('exit', killAtExit);
  const timer = setTimeout(killAtExit, TIMEOUT_MS);
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  clearTimeout(timer);
  process.removeListener('exit', killAtExit);
  if (code !== 0) throw new Error(`${script} ended with ${code ?? signal}\n${out}\n${err}`);
  return JSON.parse(out.trim().split('\n').at(-1) ?? '') as T;
}
