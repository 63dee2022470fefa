import { cp, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { QUICK_ELECTION, startEtcd, type EtcdServer } from './etcd.js';

/** A server of one test of which a backup can be restored. */
export interface RestorableEtcd {
  readonly server: EtcdServer;
  /** Takes a backup, in place of the one before. The server ends and is there again. */
  backup(): Promise<void>;
  /** Ends the server and puts its data back to the backup, which is gone then; it has to be started again. */
  putBack(): Promise<void>;
  /** The same, and starts it. */
  restore(): Promise<void>;
  /** Ends the server and removes everything. */
  stop(): Promise<void>;
}

export async function startRestorableEtcd(): Promise<RestorableEtcd> {
  const root = await mkdtemp(join(tmpdir(), 'umbra-restore-'));
  const [data, saved] = [join(root, 'data'), join(root, 'backup')];
  const server = await startEtcd({ dataDir: data, args: QUICK_ELECTION });
  const putBack = async (): Promise<void> => {
    await server.shutdown();
    await rm(data, { recursive: true });
    // Moved: a copy of the 64 MB that etcd allocates at once takes long on a busy disk.
    await rename(saved, data);
  };
  return {
    server,
    putBack,
    async backup() {
      await server.shutdown();
      await rm(saved, { recursive: true, force: true });
      await cp(data, saved, { recursive: true });
      await server.restart();
    },
    async restore() {
      await putBack();
      await server.restart();
    },
    async stop() {
      await server.stop();
      await rm(root, { recursive: true, force: true });
    },
  };
}
