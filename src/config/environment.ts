import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';

/**
 * The environment, with `.env` of the working directory below it: what is set in both counts as in the environment.
 * The only reader of process.env.
 * @throws Error of node:fs when there is a `.env` that cannot be read
 */
export function readEnvironment(): Record<string, string | undefined> {
  let file = '';
  try {
    file = readFileSync('.env', 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  // process.loadEnvFile() parses the same, but also gives the secrets of the file to every child of the node.
  return { ...parseEnv(file), ...process.env };
}
