import { existsSync, readFileSync, rmSync } from 'node:fs';
import type { ReadyNode } from '../harness/node-process.js';
import { until } from '../harness/until.js';
import type { CpuProfile } from './shares.js';

/** The CPU profile of a node while something runs. @param file the BENCH_PROFILE of the node */
export async function cpuProfile(node: ReadyNode, file: string, run: () => Promise<unknown>): Promise<CpuProfile> {
  rmSync(file, { force: true });
  node.signal('SIGUSR2');
  await run();
  node.signal('SIGUSR2');
  await until('the profile is written', () => existsSync(file) && readFileSync(file, 'utf8').endsWith('}'));
  return JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
}
