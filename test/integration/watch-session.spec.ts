import { EtcdChannel } from '../../src/store/etcd/client/channel/etcd-channel.js';
import { WATCH_TIMES, WatchSession } from '../../src/store/etcd/feed/watch-session.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';

const PREFIX = '/session/';
/** Far more responses than a session holds for a busy reader. */
const CHANGES = 40;
/** Milliseconds after which a session counts as standing still. */
const STILL_MS = 10_000;

describe('a session of the watch on one member', () => {
  let server: EtcdServer;
  let session: WatchSession | null = null;
  beforeAll(async () => {
    server = await startEtcd();
  });
  afterEach(() => session?.close());
  afterAll(() => server.stop());

  const put = async (value: string): Promise<number> => {
    const { header } = await server.client.kv.put({ key: Buffer.from(`${PREFIX}key`), value: Buffer.from(value) });
    return Number(header.revision);
  };
  /** Revisions of the next response, or null when none comes. */
  const read = (from: WatchSession): Promise<number[] | null> => {
    let timer: NodeJS.Timeout | undefined;
    const still = new Promise<null>((resolve) => (timer = setTimeout(resolve, STILL_MS, null)));
    const next = from.read().then((revisions) => revisions.map(({ revision }) => revision));
    return Promise.race([next, still]).finally(() => clearTimeout(timer));
  };

  it('resumes a stream that it paused for a busy reader', async () => {
    const { header } = await server.client.kv.range({ key: Buffer.from('x') });
    const cursor = Number(header.revision);
    session = await WatchSession.open({
      channel: new EtcdChannel({ host: server.endpoint, credentials: {}, tokens: null }),
      prefix: PREFIX,
      cluster: header.cluster_id,
      cursor,
      times: WATCH_TIMES,
      quorum: async () => cursor,
      poke: () => undefined,
    });
    // One response each, as each waits for the one before; nobody reads them yet.
    const written: number[] = [];
    for (let i = 0; i < CHANGES; i++) written.push(await put(String(i)));
    const seen: number[] = [];
    while (seen.length < CHANGES) {
      const revisions = await read(session);
      if (revisions === null) break;
      seen.push(...revisions);
    }
    expect(seen).toEqual(written);
  });
});
