import { startEtcd, type EtcdServer } from '../../../harness/etcd.js';
import { document } from '../../benches/stored.js';
import { revisionOf, SOAK_FLAGS } from './soak-etcd.js';

/** Writes of a batch, and batches under way. */
const BATCH = 25;
const WORKERS = 8;
const KEYS = 1000;
const VALUE = document(1);
/** Entries of its log that etcd keeps in memory beside its snapshot; otherwise the next start would load all of them. */
const FEW_ENTRIES = ['--snapshot-count', '1000'];

/**
 * Fills the folder of an etcd with the history of so many writes, and compacts a half of them. An etcd that compacts every
 * ten minutes what is older than ten minutes keeps up to twenty of history: with the writes of thirty minutes its file has
 * its size from the beginning, and five minutes later there is as much to compact as ever after. The etcd that is started
 * on it afterwards is a new process, which remembers nothing of how they were made.
 * @returns the revision behind five sixths of the writes: the next one to compact to
 */
export async function writeHistory(dataDir: string, writes: number): Promise<number> {
  const etcd = await startEtcd({ args: [...SOAK_FLAGS, ...FEW_ENTRIES], dataDir });
  try {
    await write(etcd, writes / 2);
    const half = await revisionOf(etcd);
    await write(etcd, writes / 3);
    const next = await revisionOf(etcd);
    await write(etcd, writes / 6);
    await etcd.client.kv.compact({ revision: half });
    return next;
  } finally {
    await etcd.stop();
  }
}

async function write({ client }: EtcdServer, writes: number): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < writes) {
      const from = (next += BATCH) - BATCH;
      const puts = Array.from({ length: BATCH }, (_, k) => ({
        request_put: { key: Buffer.from(`/history/${(from + k) % KEYS}`), value: VALUE },
      }));
      await client.kv.txn({ success: puts });
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, worker));
}
