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
import type { NamePage, RequestOptions, ThingPage } from '../../shadow-store.js';
import { BUCKETS } from '../../bucket.js';
import type { EtcdMembers } from '../client/members.js';
import { bucketPrefix, parseKey, rangeEnd, thingPrefix } from '../keys.js';

/** Keys of one bucket that are read at once. */
const MAX_KEYS = 128;
/** Keys of one thing that are read for its first MAX_LISTED_SHADOWS live shadows; deleted ones are keys for 48 h. */
const MAX_THING_KEYS = 2000;
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
}
type Shadows = ThingPage['things'][number];

/**
 * Pages of names, by keys alone: no value is read. A deleted shadow is known by its lease, which only tombstones have.
 * One page is one range, or at most seven Txns of ranges over small buckets: never a walk over the whole index.
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
    // The NUL makes it the first key behind the name.
    const start = after === undefined ? prefix : `${prefix}${decodeNamePage(after)}\0`;
    const [found] = await this.#keys([{ start, end: rangeEnd(prefix) }], limit, deadline);
    const { rows, more } = found!;
    const names = rows.filter((row) => row.live && row.name !== null).map((row) => row.name as string);
    const last = rows.at(-1)?.name;
    return more && last != null ? { names, next: encodeNamePage(last) } : { names };
  }

  /** As ShadowStore.listThings, `limit` and errors included: @throws ServiceError */
  async things(
    tenant: string,
    limit: number,
    after: string | undefined,
    { deadline }: RequestOptions,
  ): Promise<ThingPage> {
    const things: Shadows[] = [];
    let place: ThingPlace = after === undefined ? { bucket: 0, thing: '' } : decodeThingPage(after, tenant);
    for (const step of STEPS) {
      const buckets = Math.min(step, BUCKETS - place.bucket);
      const found = await this.#keys(this.#ranges(tenant, place, buckets), MAX_KEYS, deadline);
      for (const { rows, more } of found) {
        for (const each of await this.#whole(tenant, groupByThing(rows, more), more, deadline)) {
          if (things.length === limit) return { things, next: this.#token(tenant, place) };
          place = { bucket: place.bucket, thing: each.thing };
          if (each.shadows.length > 0) things.push(each);
        }
        // The rest of this bucket comes before the next one. Without a single key of ours it has no rest to name.
        if (more && rows.length > 0) break;
        place = { bucket: place.bucket + 1, thing: '' };
      }
      if (place.bucket >= BUCKETS) return { things };
      if (things.length === limit) break;
    }
    return { things, next: this.#token(tenant, place) };
  }

  /** A single thing that fills a whole read is read alone, further. */
  async #whole(tenant: string, things: Shadows[], more: boolean, deadline: number): Promise<Shadows[]> {
    const [only] = things;
    if (!more || things.length !== 1 || !only) return things;
    const start = thingPrefix(this.prefix, tenant, only.thing);
    const [found] = await this.#keys([{ start, end: rangeEnd(start) }], MAX_THING_KEYS, deadline);
    return groupByThing(found!.rows, false);
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
      const { responses } = await this.cluster.read((client, call) => client.kv.txn({ success }, call), deadline);
      return responses.map(({ response_range }) => this.#rows(response_range));
    } catch (error) {
      if (error instanceof ServiceError) throw error;
      this.logger.error({ err: error }, 'etcd refuses a list');
      throw new ServiceError('storageUnavailable');
    }
  }

  /** Foreign keys are passed over; the feed logs them. */
  #rows({ kvs, more }: IRangeResponse): Rows {
    const rows = kvs.flatMap(({ key, lease }): KeyRow[] => {
      const parsed = parseKey(this.prefix, key.toString());
      return parsed ? [{ thing: parsed.thing, name: parsed.name, live: lease === '0' }] : [];
    });
    return { rows, more };
  }
}

/** Things in key order with their live shadows. With `more` the last one may be cut; it is left for the next read. */
function groupByThing(rows: readonly KeyRow[], more: boolean): Shadows[] {
  const things: { thing: string; shadows: (string | null)[] }[] = [];
  for (const { thing, name, live } of rows) {
    let last = things.at(-1);
    if (last?.thing !== thing) things.push((last = { thing, shadows: [] }));
    if (live && last.shadows.length < MAX_LISTED_SHADOWS) last.shadows.push(name);
  }
  if (more && things.length > 1) things.pop();
  return things;
}
