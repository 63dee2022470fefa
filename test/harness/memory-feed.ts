import { ChangeLog } from '../../src/store/memory/change-log.js';
import { MemoryShadowFeed } from '../../src/store/memory/memory-shadow-feed.js';
import type { ShadowRecord } from '../../src/store/shadow-store.js';
import { changeOf, stateOf, type FeedFixture, type Write } from '../suites/feed-fixture.js';

/** A memory feed over a log that can take many records in one revision, as one commit of etcd can. */
export function memoryFeed(): FeedFixture {
  const log = new ChangeLog();
  const last = new Map<string, ShadowRecord>();
  const source = {
    log,
    position: { cluster: 'memory', epoch: 0, revision: 1 },
    get records() {
      return [...last.values()];
    },
  };
  return {
    feed: new MemoryShadowFeed(source),
    async commit(writes: readonly Write[]) {
      const position = { ...source.position, revision: source.position.revision + 1 };
      source.position = position;
      for (const write of writes) {
        const record = { key: write.key, state: stateOf(write), change: changeOf(write), position };
        last.set(`${write.key.tenant}/${write.key.thing}/${write.key.name}`, record);
        log.append(record);
      }
      return position.revision;
    },
    async compact(revision) {
      log.compactTo(revision);
    },
    async close() {},
  };
}
