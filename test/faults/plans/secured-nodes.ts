import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LabNode } from '../topology.js';

/** Runs with the variables of nodes that ask for credentials, and whose limits are not what a plan is about. */
export async function withMasterKey<T>(run: (env: Readonly<Record<string, string>>) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'umbra-lab-key-'));
  const masterKey = join(folder, 'master.key');
  await writeFile(masterKey, randomBytes(32).toString('hex'), { mode: 0o600 });
  const limits = { UMBRA_LIMIT_THING: '0', UMBRA_LIMIT_FAILURES: '0' };
  try {
    return await run({ UMBRA_AUTH: 'on', UMBRA_MASTER_KEY: masterKey, ...limits });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The key of the first administrator. @throws Error when no node has made one */
export async function firstKey(nodes: readonly LabNode[]): Promise<string> {
  for (const node of nodes) {
    const file = /Its key is in (\S+):/.exec(node.logs())?.[1];
    if (file !== undefined) return (await readFile(file, 'utf8')).trim();
  }
  throw new Error('no node has made an administrator');
}
