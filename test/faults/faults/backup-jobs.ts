import { execFile } from 'node:child_process';
import { access, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { containersOf, manifestsBelow, podOf, type Container, type Manifest } from '../../harness/manifests.js';
import type { EtcdServer } from '../../harness/etcd.js';

const run = promisify(execFile);

/** Where the pods of k8s/ have what is in folders of the test here. */
interface Places {
  readonly backups: string;
  readonly dataDir: string;
  readonly endpoint: string;
  /** Of the member in its cluster. */
  readonly name: string;
}

/** Flags that only etcdutl 3.5.10 and later has; Debian's etcdctl does the rest of its work. */
const OF_ETCDUTL = /^--(?:bump-revision=|mark-compacted$)/;

/**
 * Runs the commands of the jobs of k8s/ that save and restore snapshots, as they stand there: one container after the
 * other: the steps of a pod with its variables filled in, and with the folders and the address of the test.
 */
export class BackupJobs {
  readonly #manifests = ['components', 'restore'].flatMap((folder) =>
    manifestsBelow(folder).map(({ manifest }) => manifest),
  );
  readonly #places: Places;
  #saved = 0;

  private constructor(places: Places) {
    this.#places = places;
  }

  static async for(member: EtcdServer, name: string): Promise<BackupJobs> {
    const backups = await mkdtemp(join(tmpdir(), 'umbra-backups-'));
    return new BackupJobs({ backups, dataDir: member.dataDir, endpoint: member.endpoint, name });
  }

  /** Saves, checks and prunes. @returns the name of the snapshot @throws Error with what a command says */
  async save(): Promise<string> {
    const pod = `umbra-etcd-snapshot-${29_000_000 + this.#saved++}-x7k2p`;
    await this.#run('CronJob', 'umbra-etcd-snapshot', { POD_NAME: pod });
    return `${pod}.db`;
  }

  /** Puts a snapshot in the place of the data of a member that does not run. @throws Error with what a command says */
  async restore(snapshot: string, token: string): Promise<void> {
    const MEMBER = this.#places.name;
    const url = 'http://127.0.0.1:2380';
    const given = { SNAPSHOT: snapshot, TOKEN: token, MEMBER, CLUSTER: `${MEMBER}=${url}` };
    await this.#run('Job', 'umbra-etcd-restore-0', given, (argument) =>
      argument.startsWith('--initial-advertise-peer-urls=') ? `--initial-advertise-peer-urls=${url}` : argument,
    );
    await access(this.#aside(token));
  }

  /** Asks all members for their health, then defragments each. @throws Error with what a command says */
  defragment(endpoints: readonly string[]): Promise<void> {
    return this.#run('CronJob', 'umbra-etcd-defrag', { ETCDCTL_ENDPOINTS: endpoints.join(',') });
  }

  /** The folder that is the volume of the backups here. */
  get backups(): string {
    return this.#places.backups;
  }

  async remove(token: string): Promise<void> {
    for (const each of [this.#places.backups, this.#aside(token)]) await rm(each, { recursive: true, force: true });
  }

  #aside(token: string): string {
    return `${this.#places.dataDir}-before-${token}`;
  }

  async #run(
    kind: string,
    name: string,
    given: Readonly<Record<string, string>>,
    change = (argument: string): string => argument,
  ): Promise<void> {
    const manifest = this.#manifests.find((each) => each.kind === kind && each.metadata.name === name) as Manifest;
    for (const container of containersOf(podOf(manifest)!.spec)) await this.#step(container, given, change);
  }

  async #step(
    { name, command = [], env = [] }: Container,
    given: Readonly<Record<string, string>>,
    change: (argument: string) => string,
  ): Promise<void> {
    const values: Record<string, string> = {};
    for (const { name, value } of env) values[name] = this.#here(value === undefined ? given[name]! : value);
    Object.assign(values, given);
    const [program = '', ...rest] = command.map((each) =>
      this.#here(change(each).replace(/\$\((\w+)\)/g, (_, variable: string) => values[variable]!)),
    );
    const of = { env: { ...process.env, ...values, ETCDCTL_API: '3' } };
    try {
      if (program === 'node') await run(process.execPath, rest, of);
      else await run('etcdctl', program === 'etcdutl' ? rest.filter((each) => !OF_ETCDUTL.test(each)) : rest, of);
    } catch (error) {
      throw new Error(`${name}: ${(error as { stderr?: string }).stderr ?? String(error)}`, { cause: error });
    }
  }

  #here(text: string): string {
    const { backups, dataDir, endpoint } = this.#places;
    return text
      .replaceAll('/var/lib/etcd/data', dataDir)
      .replaceAll('/var/lib/etcd/before-', `${dataDir}-before-`)
      .replaceAll('/backups', backups)
      .replaceAll('http://umbra-etcd-ready:2379', endpoint);
  }
}

/** Writes over the database of a member that does not run, so that it cannot start with it. */
export async function destroyData({ dataDir }: EtcdServer): Promise<void> {
  const file = await open(join(dataDir, 'member', 'snap', 'db'), 'r+');
  try {
    await file.write(Buffer.alloc(1 << 20, 'destroyed '), 0, 1 << 20, 0);
  } finally {
    await file.close();
  }
}
