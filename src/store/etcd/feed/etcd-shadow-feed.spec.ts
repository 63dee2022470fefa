import type { EtcdConfig } from '../../../config/config.js';
import { SILENT_LOGGER } from '../../../telemetry/logger.js';
import { Lineage } from '../lineage.js';
import { EtcdShadowFeed } from './etcd-shadow-feed.js';

describe('the feed of an etcd that does not answer', () => {
  it('lets go of whoever asks for the present position and leaves', async () => {
    const feed = new EtcdShadowFeed({
      config: { prefix: '/test/', endpoints: ['http://127.0.0.1:1'] } as unknown as EtcdConfig,
      connect: () => {
        throw new Error('nobody connects');
      },
      openChannel: () => {
        throw new Error('nobody connects');
      },
      calls: { read: () => new Promise(() => undefined) },
      history: new Lineage(),
      logger: SILENT_LOGGER,
    });
    const leaving = new AbortController();
    const head = feed.head(leaving.signal);
    leaving.abort(new Error('left'));
    await expect(head).rejects.toThrow('left');
    await expect(feed.head(leaving.signal)).rejects.toThrow('left');
  });
});
