import { SILENT_LOGGER } from '../../../telemetry/logger.js';
import { presencePrefix } from '../keys.js';
import { DeletedRecords } from './deleted-records.js';
import { RecordDecoder } from './record-decoder.js';

describe('the records before a deletion', () => {
  it.each([
    ['compacted', '11 OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted'],
    ['epoch-changed', '11 OUT_OF_RANGE: etcdserver: mvcc: required revision is a future revision'],
  ])('end the feed as %s when etcd does not have them', async (reason, message) => {
    const calls = { read: () => Promise.reject(new Error(message)) };
    const deleted = new DeletedRecords(calls, new RecordDecoder('/test/', SILENT_LOGGER), SILENT_LOGGER);
    const revisions = [
      { revision: 7, puts: [], bytes: Buffer.alloc(0), deletes: [Buffer.from('/test/shadows/00/t/a/c')] },
    ];
    const start = { cluster: 'c', epoch: 0, revision: 5 };
    await expect(deleted.of(revisions, start)).rejects.toMatchObject({ name: 'FeedGap', reason });
  });

  it('are not read for records of presence: a client that is forgotten has left long before', async () => {
    const calls = { read: () => Promise.reject(new Error('asked')) };
    const deleted = new DeletedRecords(calls, new RecordDecoder('/test/', SILENT_LOGGER), SILENT_LOGGER);
    const deletes = [Buffer.from(`${presencePrefix('/test/')}t/lamp`)];
    const start = { cluster: 'c', epoch: 0, revision: 5 };
    expect(await deleted.of([{ revision: 7, puts: [], bytes: Buffer.alloc(0), deletes }], start)).toEqual(new Map());
  });

  it('are not read for a mass deletion, which could fill the memory of every node', async () => {
    const calls = { read: () => Promise.reject(new Error('asked')) };
    const deleted = new DeletedRecords(calls, new RecordDecoder('/test/', SILENT_LOGGER), SILENT_LOGGER);
    const deletes = Array.from({ length: 5_001 }, (_, n) => Buffer.from(`/test/shadows/00/t/a${n}/c`));
    const start = { cluster: 'c', epoch: 0, revision: 5 };
    expect(await deleted.of([{ revision: 7, puts: [], bytes: Buffer.alloc(0), deletes }], start)).toEqual(new Map());
  });
});
