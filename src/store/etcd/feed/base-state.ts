import { setTimeout as pause } from 'node:timers/promises';
import type { IKeyValue, IRangeResponse } from 'etcd3';
import { isTombstone } from '../../../document/shadow-document.js';
import { ServiceError } from '../../../errors/service-error.js';
import { BackOff } from '../../../resilience/back-off.js';
import type { Position } from '../../position.js';
import { FeedGap, matches, type ShadowFilter } from '../../shadow-feed.js';
import type { ShadowKey, ShadowRecord } from '../../shadow-store.js';
import { BUCKETS, bucketOf } from '../../bucket.js';
import { isCompacted, isFuture } from '../client/etcd-error.js';
import { recordKey } from '../../presence-record.js';
import { PRESENCE } from '../../presence-update.js';
import { bucketPrefix, formatKey, presencePrefix, rangeEnd, thingPrefix } from '../keys.js';
import type { RecordDecoder } from './record-decoder.js';
import { CALL_MS, type EtcdCalls } from './restore-detector.js';

/** Keys of one page at most. */
const PAGE = 500;
/** First pages that are read in one Txn: a small tenant is spread over 256 buckets, which is 16 round trips. */
const GROUP = 16;
/** Keys of a first page at most. Together a group is about three pages. */
const FIRST_PAGE = 100;
/**
 * Bytes of one answer, about. etcd and the node do nothing else while they put a large one together and take it apart:
 * writers would wait for readers of the present state.
 */
const ANSWER_BYTES = 512 * 1024;
/** Bytes that a record is expected to have before one was seen: a record may have 136 KiB. */
const FIRST_GUESS_BYTES = 4 * 1024;
/** How much smaller a request becomes after a failure, which may be due to its size. */
const SHRINK = 4;
/** Milliseconds: pauses while etcd does not answer. */
const BACK_OFF = { first: 100, longest: 1_000 };

interface Range {
  readonly key: Buffer;
  readonly end: Buffer;
}

/** One reading of the base. */
interface Reading {
  readonly revision: number;
  readonly signal: AbortSignal;
  /** Mean bytes of the records of the last answer, or a guess. */
  recordBytes: number;
}

/**
 * Reads the base state: all pages pinned to one revision, in linearizable calls, so that a lagging member waits. A page
 * that fails is read again for as long as the revision exists.
 */
export class BaseState {
  constructor(
    private readonly calls: EtcdCalls,
    private readonly prefix: string,
    private readonly decoder: RecordDecoder,
  ) {}

  /**
   * @param after leaves out every key up to and with this one
   * @throws FeedGap when the revision was compacted meanwhile; ServiceError draining
   */
  async *records(
    filter: ShadowFilter,
    position: Position,
    signal: AbortSignal,
    after?: ShadowKey,
  ): AsyncGenerator<ShadowRecord> {
    const isAfterShadows = after?.name === PRESENCE;
    if (filter.presence !== 'alone' && !isAfterShadows) yield* this.#shadows(filter, position, signal, after);
    if (filter.presence !== undefined)
      yield* this.#presence(filter, position, signal, isAfterShadows ? after : undefined);
  }

  async *#shadows(
    filter: ShadowFilter,
    position: Position,
    signal: AbortSignal,
    after?: ShadowKey,
  ): AsyncGenerator<ShadowRecord> {
    const read: Reading = { revision: position.revision, signal, recordBytes: FIRST_GUESS_BYTES };
    const start = after && Buffer.from(formatKey(this.prefix, after));
    const bucket = after && filter.thing === undefined ? bucketOf(after.tenant, after.thing) : 0;
    for (let first = bucket; ; first += GROUP) {
      const ranges = this.#ranges(filter, first);
      const [range, ...others] = ranges;
      if (!range) return;
      // Only the first range can hold the start: the others lie after it.
      if (start && first === bucket) ranges.splice(0, ranges.length, { ...range, key: afterKey(start) }, ...others);
      for await (const kvs of this.#pages(ranges, read)) {
        for (const kv of kvs) {
          if (signal.aborted) return;
          const record = this.decoder.decodeRead(kv, position);
          if (record && !isTombstone(record.state) && matches(filter, record.key)) yield record;
        }
      }
    }
  }

  /** Of the clients that are things, as far as the filter matches them. */
  async *#presence(
    filter: ShadowFilter,
    position: Position,
    signal: AbortSignal,
    after?: ShadowKey,
  ): AsyncGenerator<ShadowRecord> {
    const { tenant, thing } = filter;
    const read: Reading = { revision: position.revision, signal, recordBytes: FIRST_GUESS_BYTES };
    const prefix = presencePrefix(this.prefix);
    const keyOf = (clientId: string): Buffer => Buffer.from(prefix + recordKey({ tenant, clientId }));
    const all = { key: Buffer.from(`${prefix}${tenant}/`), end: rangeEnd(`${prefix}${tenant}/`) };
    const range = thing === undefined ? all : { key: keyOf(thing), end: afterKey(keyOf(thing)) };
    const rest = after ? { ...range, key: afterKey(keyOf(after.thing)) } : range;
    if (Buffer.compare(rest.key, rest.end) >= 0) return;
    for await (const kvs of this.#pages([rest], read)) {
      for (const { key, value, mod_revision: revision } of kvs) {
        if (signal.aborted) return;
        const at = { ...position, revision: Number(revision) };
        const record = this.decoder.decodePresence(key.toString(), () => value, at);
        if (record?.isReadable && matches(filter, record.key)) yield record;
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

  async *#pages(ranges: readonly Range[], read: Reading): AsyncGenerator<readonly IKeyValue[]> {
    const firstPages = await this.#read(ranges, FIRST_PAGE, read);
    for (const [i, range] of ranges.entries()) {
      let page = firstPages[i];
      while (page) {
        yield page.kvs;
        const last = page.kvs.at(-1);
        if (!page.more || !last) break;
        [page] = await this.#read([{ key: afterKey(last.key), end: range.end }], PAGE, read);
      }
    }
  }

  /** The first keys of each range, `most` at most; nothing after the abort of the signal. */
  async #read(ranges: readonly Range[], most: number, read: Reading): Promise<readonly IRangeResponse[]> {
    const backOff = new BackOff(BACK_OFF);
    while (!read.signal.aborted) {
      const room = Math.floor(ANSWER_BYTES / (ranges.length * read.recordBytes));
      const limit = Math.max(1, Math.min(most, room));
      try {
        const pages = await this.#ask(ranges, limit, read.revision);
        read.recordBytes = meanBytes(pages) ?? read.recordBytes;
        return pages;
      } catch (error) {
        if (error instanceof FeedGap || (error instanceof ServiceError && error.code === 'draining')) throw error;
        read.recordBytes *= SHRINK;
        await pause(backOff.next(), undefined, { signal: read.signal }).catch(() => undefined);
      }
    }
    return [];
  }

  async #ask(ranges: readonly Range[], limit: number, revision: number): Promise<IRangeResponse[]> {
    const success = ranges.map(({ key, end }) => ({
      request_range: { key, range_end: end, limit: String(limit), revision: String(revision) },
    }));
    try {
      const answer = await this.calls.read((client) => client.kv.txn({ success }), performance.now() + CALL_MS);
      return answer.responses.map((one) => one.response_range);
    } catch (error) {
      if (isCompacted(error)) throw new FeedGap('compacted');
      // The revision existed a moment ago: a backup was restored.
      if (isFuture(error)) throw new FeedGap('epoch-changed');
      throw error;
    }
  }
}

function meanBytes(pages: readonly IRangeResponse[]): number | null {
  let count = 0;
  let bytes = 0;
  for (const { kvs } of pages) {
    count += kvs.length;
    for (const { key, value } of kvs) bytes += key.length + value.length;
  }
  return count === 0 ? null : bytes / count;
}

/** The first key that can follow `key`. */
const afterKey = (key: Buffer): Buffer => Buffer.concat([key, Buffer.from([0])]);
