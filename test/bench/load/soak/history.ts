import { startEtcd, type EtcdServer } from '../../../harness/etcd.js';
import { document } from '../../benches/stored.js';
import { OPERATED_FLAGS } from '../../members.js';

/** Writes of a batch, and batches under way. */
const BATCH = 25;
const WORKERS = 8;
const KEYS = 1000;
const VALUE = document(1);
/** Entries of its log that etcd keeps in memory beside its snapshot; otherwise the next start would load all of them. */
const FEW_ENTRIES = ['--snapshot-count', '1000'];

/**
 * Fills the folder of an etcd with the history of so many writes, and compacts two thirds of them. An etcd that compacts every
 * ten minutes what is older than ten minutes keeps up to twenty of history, and its first compaction comes after twenty: with
 * the writes of thirty minutes its file has its size from the beginning. The etcd that is started on it afterwards is a new
 * process, which remembers nothing of how they were made.
 */
export async function writeHistory(dataDir: string, writes: number): Promise<void> {
  const etcd = await startEtcd({ args: [...OPERATED_FLAGS, ...FEW_ENTRIES], dataDir });
  try {
    await write(etcd, (writes * 2) / 3);
    const { header } = await etcd.client.kv.range({ key: Buffer.from('/history/'), count_only: true });
    await write(etcd, writes / 3);
    await etcd.client.kv.compact({ revision: header.revision });
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
