import type { IKeyValue } from 'etcd3';
import { isTombstone } from '../../../document/shadow-document.js';
import type { Position } from '../../position.js';
import { FeedGap, matches, type ShadowFilter } from '../../shadow-feed.js';
import type { ShadowKey, ShadowRecord } from '../../shadow-store.js';
import { BUCKETS, bucketOf } from '../../bucket.js';
import { isCompacted, isFuture } from '../client/etcd-error.js';
import { bucketPrefix, formatKey, rangeEnd, thingPrefix } from '../keys.js';
import type { RecordDecoder } from './record-decoder.js';
import { CALL_MS, type EtcdCalls } from './restore-detector.js';

/** Keys of one page; of 8 KiB documents that is 4 MiB. */
const PAGE = 500;
/** First pages that are read in one Txn: a small tenant is spread over 256 buckets, which is 16 round trips. */
const GROUP = 16;
/** Keys of a first page. Together a group is about three pages. */
const FIRST_PAGE = 100;

interface Range {
  readonly key: Buffer;
  readonly end: Buffer;
}

/** Reads the base state: all pages pinned to one revision, in linearizable calls, so that a lagging member waits. */
export class BaseState {
  constructor(
    private readonly calls: EtcdCalls,
    private readonly prefix: string,
    private readonly decoder: RecordDecoder,
  ) {}

  /**
   * @param after leaves out every key up to and with this one
   * @throws FeedGap when the revision was compacted meanwhile; ServiceError storageUnavailable
   */
  async *records(
    filter: ShadowFilter,
    position: Position,
    signal: AbortSignal,
    after?: ShadowKey,
  ): AsyncGenerator<ShadowRecord> {
    const start = after && Buffer.from(formatKey(this.prefix, after));
    const bucket = after && filter.thing === undefined ? bucketOf(after.tenant, after.thing) : 0;
    for (let first = bucket; ; first += GROUP) {
      const ranges = this.#ranges(filter, first);
      const [range, ...others] = ranges;
      if (!range) return;
      // Only the first range can hold the start: the others lie after it.
      if (start && first === bucket) ranges.splice(0, ranges.length, { ...range, key: afterKey(start) }, ...others);
      for await (const kvs of this.#pages(ranges, position.revision)) {
        for (const kv of kvs) {
          if (signal.aborted) return;
          const record = this.decoder.decode(kv, position);
          if (record && !isTombstone(record.state) && matches(filter, record.key)) yield record;
        }
      }
    }
  }

  #ranges(filter: ShadowFilter, first: number): Range[] {
    const prefixes: string[] = [];
    if (filter.thing !== undefined) {
      if (first === 0) prefixes.push(thingPrefix(this.prefix, filter.tenant, filter.thing));
    } else {
      const end = Math.min(first + GROUP, BUCKETS);
      for (let at = first; at < end; at++) prefixes.push(`${bucketPrefix(this.prefix, at)}${filter.tenant}/`);
    }
    return prefixes.map((prefix) => ({ key: Buffer.from(prefix), end: rangeEnd(prefix) }));
  }

  async *#pages(ranges: readonly Range[], revision: number): AsyncGenerator<readonly IKeyValue[]> {
    const firstPages = await this.#read(ranges, FIRST_PAGE, revision);
    for (const [i, range] of ranges.entries()) {
      let page = firstPages[i];
      while (page) {
        yield page.kvs;
        const last = page.kvs.at(-1);
        if (!page.more || !last) break;
        [page] = await this.#read([{ key: afterKey(last.key), end: range.end }], PAGE, revision);
      }
    }
  }

  async #read(ranges: readonly Range[], limit: number, revision: number) {
    const success = ranges.map(({ key, end }) => ({
      request_range: { key, range_end: end, limit: String(limit), revision: String(revision) },
    }));
    try {
      const answer = await this.calls.read((client) => client.kv.txn({ success }), performance.now() + CALL_MS);
      return answer.responses.map((one) => one.response_range);
    } catch (error) {
      if (isCompacted(error)) throw new FeedGap('compacted');
      // A history that was there a moment ago is not: a backup was restored.
      if (isFuture(error)) throw new FeedGap('epoch-changed');
      throw error;
    }
  }
}

/** The first key that can follow `key`. */
const afterKey = (key: Buffer): Buffer => Buffer.concat([key, Buffer.from([0])]);
