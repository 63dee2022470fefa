import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { residentBytes } from '../bench/load/process-usage.js';
import type { Measured } from './bystander.js';

/** The bystander of bystander.ts, seen from the fuzzer. */
export class Bystander {
  private constructor(private readonly child: ChildProcess) {}

  static async start(mqttUrl: string): Promise<Bystander> {
    // The flags of this process, so that the child can load TypeScript as well.
    const child = fork(fileURLToPath(new URL('./bystander.ts', import.meta.url)), [mqttUrl]);
    await once(child, 'message');
    return new Bystander(child);
  }

  /** What it measured since the last question. */
  async measured(): Promise<Measured> {
    this.child.send('measured?');
    const [answer] = (await once(this.child, 'message')) as [Measured];
    return answer;
  }

  stop(): void {
    this.child.disconnect();
  }
}

/** The value below which a share of the values lies; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

export interface Footprint {
  readonly megabytes: number;
  readonly descriptors: number;
}

/** What a process holds (Linux only). */
export function footprint(pid: number): Footprint {
  return { megabytes: residentBytes(pid) / 1024 ** 2, descriptors: readdirSync(`/proc/${pid}/fd`).length };
}
