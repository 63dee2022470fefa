import type { Redis } from 'ioredis';
import { isTombstone } from '../../../src/document/shadow-document.js';
import { decodeRecord } from '../../../src/store/etcd/codec.js';
import type { Position } from '../../../src/store/position.js';
import { FeedGap, matches, type ShadowFilter } from '../../../src/store/shadow-feed.js';
import type { ShadowKey, ShadowRecord } from '../../../src/store/shadow-store.js';
import { STREAM } from './redis-connection.js';
import { after, isTrimmedAfter, type Entry } from './redis-entries.js';

/** Shadows that are read at once. */
const PAGE = 200;
/** Events that are read at once. */
const EVENTS = 1000;
/** Before the id of a shadow in the key of its value. */
export const SHADOW = 'umbra:s:';

interface Stored {
  readonly revision: number;
  readonly value: Buffer;
}

/**
 * Every shadow that lives, as of one position, in the order of the ids. Redis has only the present, so the first event
 * since of a shadow that has changed says where what was before it is to be found.
 * @throws FeedGap when the events that this needs are gone
 */
export async function* recordsAt(
  redis: Redis,
  filter: ShadowFilter,
  at: Position,
  afterId: string | null,
): AsyncGenerator<ShadowRecord> {
  const ids = (await idsOf(redis, filter.tenant)).filter((id) => afterId === null || id > afterId);
  const wanted = ids.filter((id) => matches(filter, keyOf(id)));
  const since = new EventsSince(redis, at.revision);
  for (let from = 0; from < wanted.length; from += PAGE) {
    const page = wanted.slice(from, from + PAGE);
    const found = await Promise.all(page.map((id) => presentOf(redis, id)));
    await since.readTo(Math.max(...found.map(({ revision }) => revision)));
    const records = await Promise.all(found.map((stored, i) => since.before(page[i] as string, stored)));
    for (const [i, stored] of records.entries()) {
      const record = stored && recordOf(page[i] as string, stored, at);
      if (record && !isTombstone(record.state)) yield record;
    }
  }
}

/** Sorted. A shadow that is there all the while is found; one that came meanwhile is not of the position. */
async function idsOf(redis: Redis, tenant: string): Promise<string[]> {
  const ids = new Set<string>();
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', `${SHADOW}${tenant}/*`, 'COUNT', 1000);
    for (const key of keys) ids.add(key.slice(SHADOW.length));
    cursor = next;
  } while (cursor !== '0');
  return [...ids].sort();
}

async function presentOf(redis: Redis, id: string): Promise<Stored> {
  const [revision, value] = await redis.hmgetBuffer(SHADOW + id, 'r', 'v');
  return { revision: Number(revision?.toString() ?? 0), value: value ?? Buffer.alloc(0) };
}

/** What was changed after a revision, as far as it has been read. */
class EventsSince {
  /** The revision that the first of these events of a shadow followed; 0: none. */
  readonly #before = new Map<string, number>();
  #reached: number;

  constructor(
    private readonly redis: Redis,
    private readonly revision: number,
  ) {
    this.#reached = revision;
  }

  /** @throws FeedGap when not all of them are there any more */
  async readTo(revision: number): Promise<void> {
    if (revision <= this.#reached) return;
    for (let from = `(${after(this.#reached)}`; ;) {
      const range = this.redis.xrangeBuffer(STREAM, from, after(revision), 'COUNT', EVENTS);
      const entries = (await range) as unknown as Entry[];
      for (const [, fields] of entries) {
        const id = fields[1]?.toString() ?? '';
        if (!this.#before.has(id)) this.#before.set(id, Number(fields[3]?.toString()));
      }
      const last = entries.at(-1);
      if (!last || entries.length < EVENTS) break;
      from = `(${last[0].toString()}`;
    }
    this.#reached = revision;
    if (await isTrimmedAfter(this.redis, this.revision)) throw new FeedGap('compacted');
  }

  /** What the shadow was at the revision; null: it was not there yet. @throws FeedGap */
  async before(id: string, present: Stored): Promise<Stored | null> {
    if (present.revision <= this.revision) return present.revision === 0 ? null : present;
    const revision = this.#before.get(id) ?? 0;
    if (revision === 0) return null;
    const range = this.redis.xrangeBuffer(STREAM, `${revision}`, `${revision}`);
    const entries = (await range) as unknown as Entry[];
    const found = entries.find(([, fields]) => fields[1]?.toString() === id);
    if (!found) throw new FeedGap('compacted');
    return { revision, value: found[1][5] ?? Buffer.alloc(0) };
  }
}

/** Null: it is no record. */
function recordOf(id: string, { revision, value }: Stored, at: Position): ShadowRecord | null {
  try {
    const { state, change } = decodeRecord(value);
    return { key: keyOf(id), state, change, position: { ...at, revision } };
  } catch {
    return null;
  }
}

export function keyOf(id: string): ShadowKey {
  const [tenant = '', thing = '', name = ''] = id.split('/');
  return { tenant, thing, name: name === '' ? null : name };
}
