import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';

const IN_MEMORY = '/dev/shm';
/** Bytes that must be free there: tests run side by side, and each etcd takes 64 MB for its log at once. */
const LEAST_FREE = 4 * 2 ** 30;

/**
 * Where tests keep what needs no disk: a write of etcd waits for its disk, which takes seconds on a busy machine. What
 * disks do to etcd is for the fault lab and the benchmarks, which have their data in the ordinary folder.
 */
export function memoryFolder(): string {
  if (process.env['JEST_WORKER_ID'] === undefined) return tmpdir();
  try {
    const { bavail, bsize } = statfsSync(IN_MEMORY);
    return bavail * bsize >= LEAST_FREE ? IN_MEMORY : tmpdir();
  } catch {
    return tmpdir();
  }
}
