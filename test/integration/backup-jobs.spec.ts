import { access, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupJobs, destroyData } from '../faults/faults/backup-jobs.js';
import { QUICK_ELECTION, startEtcd, type EtcdServer } from '../harness/etcd.js';

/** The lab runs them under load: `npm run faults -- --scenario "restore by the jobs of Kubernetes"`. */
describe('the jobs of k8s/ that save, defragment and restore, by their own commands', () => {
  let member: EtcdServer;
  let jobs: BackupJobs;

  beforeAll(async () => {
    member = await startEtcd({ args: QUICK_ELECTION });
    jobs = await BackupJobs.for(member, 'test');
  });

  afterAll(async () => {
    await jobs.remove('restored-1');
    await member.stop();
  });

  const value = () => member.client.get('key').string();

  it('bring back what was saved, from data that are destroyed', async () => {
    await member.client.put('key').value('saved');
    const snapshot = await jobs.save();
    await member.client.put('key').value('changed since');
    await member.kill9();
    await destroyData(member);
    await jobs.restore(snapshot, 'restored-1');
    await member.restart();
    expect(await value()).toBe('saved');
  });

  it('refuse a token that was used, and a snapshot that is not there, and leave the data alone', async () => {
    const snapshot = await jobs.save();
    await expect(jobs.restore(snapshot, 'restored-1')).rejects.toThrow('take another token');
    await expect(jobs.restore('umbra-etcd-snapshot-1-a.db', 'restored-2')).rejects.toThrow('no such file');
    await access(join(member.dataDir, 'member'));
  });

  it('keep the latest 48 snapshots, and nothing unfinished', async () => {
    const foreign = 'notes.txt';
    const old = Array.from({ length: 60 }, (_, at) => `umbra-etcd-snapshot-${28_000_000 + at}-abcde.db`);
    const files = [...old, 'umbra-etcd-snapshot-28999999-abcde.db.part', foreign];
    await Promise.all(files.map((name) => writeFile(join(jobs.backups, name), '')));
    const latest = await jobs.save();
    const kept = await readdir(jobs.backups);
    expect(kept).toHaveLength(48 + 1);
    expect(kept).toEqual(expect.arrayContaining([foreign, latest, old.at(-1)]));
    expect(kept).not.toContain(old[0]);
  });

  it('defragment a member that is well, and none beside one that is not', async () => {
    await jobs.defragment([member.endpoint]);
    await expect(jobs.defragment([member.endpoint, 'http://127.0.0.1:9'])).rejects.toThrow(/^health: /);
  });
});
