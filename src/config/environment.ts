import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';

/**
 * The environment, completed by `.env` of the working directory. A variable of the environment overrides the one in
 * `.env`. This function is the only reader of process.env.
 * @throws Error of node:fs when `.env` exists but cannot be read
 */
export function readEnvironment(): Record<string, string | undefined> {
  let file = '';
  try {
    file = readFileSync('.env', 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  // process.loadEnvFile() would also pass the secrets of the file to every child process of the node.
  return { ...parseEnv(file), ...process.env };
}
