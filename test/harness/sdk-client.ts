import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { basename, join } from 'node:path';
import { pythonWithPaho } from '../programs.mjs';

const TIMEOUT_MS = 120_000;

/**
 * Runs a client script of test/e2e/clients in its own process, since the native parts of the SDKs and Jest's sandbox do
 * not go together, and returns the JSON that it prints last.
 */
export async function runClient<T>(script: string, options: object): Promise<T> {
  const path = join(process.cwd(), 'test', 'e2e', 'clients', script);
  const out = await runScript(path, { args: [JSON.stringify(options)] });
  return JSON.parse(out.trim().split('\n').at(-1) ?? '') as T;
}

/** Like `runClient`, for a script that needs Python with Paho. */
export async function runPython<T>(script: string, options: object): Promise<T> {
  const program = pythonWithPaho();
  if (program === null) throw new Error('no Python has paho.mqtt; Debian: apt-get install python3-paho-mqtt');
  const path = join(process.cwd(), 'test', 'e2e', 'clients', script);
  const out = await runScript(path, { args: [JSON.stringify(options)], program });
  return JSON.parse(out.trim().split('\n').at(-1) ?? '') as T;
}

/**
 * Runs a script, with Node unless told, and returns what it printed.
 * @throws Error with its output when it fails, or does not end within TIMEOUT_MS
 */
export async function runScript(path: string, { args = [], env = {}, program }: ScriptOptions = {}): Promise<string> {
  const flags = program === undefined ? ['--no-deprecation'] : [];
  const child = spawn(program ?? process.execPath, [...flags, path, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
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
  if (code !== 0) throw new Error(`${basename(path)} ended with ${code ?? signal}\n${out}\n${err}`);
  return out;
}

interface ScriptOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly program?: string;
}
