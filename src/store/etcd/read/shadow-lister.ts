import type { IRangeRequest, IRangeResponse } from 'etcd3';
import { ServiceError } from '../../../errors/service-error.js';
import type { Logger } from '../../../telemetry/logger.js';
import {
  decodeNamePage,
  decodeThingPage,
  encodeBucketPage,
  encodeNamePage,
  encodeThingPage,
  MAX_LISTED_SHADOWS,
  type ThingPlace,
} from '../../page-token.js';
import type { ListedThing, NamePage, RequestOptions, ThingPage } from '../../shadow-store.js';
import { BUCKETS } from '../../bucket.js';
import type { EtcdMembers } from '../client/members.js';
import { bucketPrefix, parseKey, rangeEnd, thingPrefix } from '../keys.js';

/** Keys of one bucket that are read at once. */
const MAX_KEYS = 128;
/** Keys of one thing that are read at once, where its deleted shadows, which are keys for 48 h, stand before live ones. */
const MAX_THING_KEYS = 2000;
/** Reads of MAX_THING_KEYS for one page of names; a thing with more tombstones gives a short page. */
const MAX_NAME_READS = 10;
/** Buckets read in each step of one page: few for a tenant with many things, soon all of them for one with few. */
const STEPS = [1, 4, 16, 64, 64, 64, 64];

interface KeyRow {
  readonly thing: string;
  readonly name: string | null;
  readonly live: boolean;
}
interface Rows {
  readonly rows: readonly KeyRow[];
  readonly more: boolean;
  /** Revision of the store at which they were read. */
  readonly revision: number;
}

/**
 * Pages of names, by keys alone: no value is read. A deleted shadow is known by its lease, which only tombstones have.
 * One page is one range, or at most seven Txns of ranges over small buckets: never a walk over the whole index. Only a
 * thing with thousands of tombstones costs more: it is read to its end.
 */
export class ShadowLister {
  constructor(
    private readonly cluster: EtcdMembers,
    private readonly prefix: string,
    private readonly logger: Logger,
  ) {}

  /** As ShadowStore.listNames, `limit` and errors included: @throws ServiceError */
  async names(
    tenant: string,
    thing: string,
    limit: number,
    after: string | undefined,
    { deadline }: RequestOptions,
  ): Promise<NamePage> {
    const prefix = `${thingPrefix(this.prefix, tenant, thing)}n:`;
    // The NUL makes it the first key after the name.
    const startAfter = (name: string): string => `${prefix}${name}\0`;
    let start = after === undefined ? prefix : startAfter(decodeNamePage(after));
    const names: string[] = [];
    let last: string | null | undefined;
    let revision = 0;
    for (let reads = 0; reads <= MAX_NAME_READS; reads++) {
      const [found] = await this.#keys(
        [{ start, end: rangeEnd(prefix) }],
        reads === 0 ? limit : MAX_THING_KEYS,
        deadline,
      );
      const { rows, more } = found!;
      // Of the first read: what follows is newer.
      revision ||= found!.revision;
      for (const { name, live } of rows) {
        if (names.length === limit) return { names, revision, next: encodeNamePage(names.at(-1)!) };
        if (live && name !== null) names.push(name);
      }
      last = rows.at(-1)?.name;
      if (!more || last == null) return { names, revision };
      if (names.length === limit) break;
      start = startAfter(last);
    }
    return { names, revision, next: encodeNamePage(last!) };
  }

  /** As ShadowStore.listThings, `limit` and errors included: @throws ServiceError */
  async things(
    tenant: string,
    limit: number,
    after: string | undefined,
    { deadline }: RequestOptions,
  ): Promise<ThingPage> {
    const things: ListedThing[] = [];
    let revision = 0;
    let place: ThingPlace = after === undefined ? { bucket: 0, thing: '' } : decodeThingPage(after, tenant);
    for (const step of STEPS) {
      const buckets = Math.min(step, BUCKETS - place.bucket);
      const found = await this.#keys(this.#ranges(tenant, place, buckets), MAX_KEYS, deadline);
      revision ||= found[0]!.revision;
      for (const { rows, more } of found) {
        for (const each of await this.#whole(tenant, groupByThing(rows, more), more, deadline)) {
          if (things.length === limit) return { things, revision, next: this.#token(tenant, place) };
          place = { bucket: place.bucket, thing: each.thing };
          if (each.shadows.length > 0) things.push(each);
        }
        // The rest of this bucket comes before the next one. Without a single key of ours it has no rest to name.
        if (more && rows.length > 0) break;
        place = { bucket: place.bucket + 1, thing: '' };
      }
      if (place.bucket >= BUCKETS) return { things, revision };
      if (things.length === limit) break;
    }
    return { things, revision, next: this.#token(tenant, place) };
  }

  /** A single thing that fills a whole read is read alone, to its end or until it has more shadows than are listed. */
  async #whole(
    tenant: string,
    things: readonly ListedThing[],
    more: boolean,
    deadline: number,
  ): Promise<readonly ListedThing[]> {
    const [only] = things;
    if (!more || things.length !== 1 || !only) return things;
    const prefix = thingPrefix(this.prefix, tenant, only.thing);
    const live: KeyRow[] = [];
    let start = prefix;
    for (;;) {
      const [found] = await this.#keys([{ start, end: rangeEnd(prefix) }], MAX_THING_KEYS, deadline);
      const { rows, more: moreKeys } = found!;
      live.push(...rows.filter((row) => row.live));
      const last = rows.at(-1);
      if (!moreKeys || !last || live.length > MAX_LISTED_SHADOWS) break;
      start = `${prefix}${last.name === null ? 'c' : `n:${last.name}`}\0`;
    }
    return live.length === 0 ? things : groupByThing(live, false);
  }

  #token(tenant: string, place: ThingPlace): string {
    return place.thing === '' ? encodeBucketPage(place.bucket) : encodeThingPage(tenant, place.thing);
  }

  /** Ranges of the tenant in `buckets` buckets from `place` on. */
  #ranges(tenant: string, place: ThingPlace, buckets: number): { start: string | Buffer; end: Buffer }[] {
    return Array.from({ length: buckets }, (_, i) => {
      const prefix = `${bucketPrefix(this.prefix, place.bucket + i)}${tenant}/`;
      // All keys of a thing begin with `{thing}/`, so the end of that prefix is the start behind the thing.
      const behind = i === 0 && place.thing !== '' ? rangeEnd(thingPrefix(this.prefix, tenant, place.thing)) : prefix;
      return { start: behind, end: rangeEnd(prefix) };
    });
  }

  async #keys(
    ranges: readonly { readonly start: string | Buffer; readonly end: Buffer }[],
    limit: number,
    deadline: number,
  ): Promise<Rows[]> {
    const success = ranges.map(({ start, end }) => ({
      request_range: {
        key: Buffer.from(start),
        range_end: end,
        limit: String(limit),
        keys_only: true,
      } satisfies IRangeRequest,
    }));
    try {
      const { header, responses } = await this.cluster.read(
        (client, call) => client.kv.txn({ success }, call),
        deadline,
      );
      return responses.map(({ response_range }) => this.#rows(response_range, Number(header.revision)));
    } catch (error) {
      if (error instanceof ServiceError) throw error;
      this.logger.error({ err: error }, 'etcd refuses a list');
      throw new ServiceError('storageUnavailable');
    }
  }

  /** Foreign keys are passed over; the feed logs them. */
  #rows({ kvs, more }: IRangeResponse, revision: number): Rows {
    const rows = kvs.flatMap(({ key, lease }): KeyRow[] => {
      const parsed = parseKey(this.prefix, key.toString());
      return parsed ? [{ thing: parsed.thing, name: parsed.name, live: lease === '0' }] : [];
    });
    return { rows, more, revision };
  }
}

/** Things in key order with their live shadows. With `more` the last one may be cut; it is left for the next read. */
function groupByThing(rows: readonly KeyRow[], more: boolean): ListedThing[] {
  const things: { thing: string; shadows: (string | null)[]; truncated?: true }[] = [];
  for (const { thing, name, live } of rows) {
    let last = things.at(-1);
    if (last?.thing !== thing) things.push((last = { thing, shadows: [] }));
    if (!live) continue;
    if (last.shadows.length < MAX_LISTED_SHADOWS) last.shadows.push(name);
    else last.truncated = true;
  }
  if (more && things.length > 1) things.pop();
  return things;
}
