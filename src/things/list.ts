import { Inject, Injectable } from '@nestjs/common';
import type { LiveRecord } from '../shadow/get.js';
import { encodeThingPage } from '../store/page-token.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { asNewAs, revisionOfPage } from '../store/as-new-as.js';
import { SHADOW_STORE, type ListedThing, type RequestOptions, type ShadowStore } from '../store/shadow-store.js';
import { readShadows } from './read-shadows.js';

export interface ListThingsQuery {
  readonly tenant: string;
  /** 1 to 100. */
  readonly limit: number;
  readonly after?: string;
  /** The page shows everything up to this revision of the store. */
  readonly minRevision?: number | undefined;
}

export interface ThingRecords {
  readonly thing: string;
  /** At least one, at most MAX_LISTED_SHADOWS; the classic one comes first, the others in byte order. */
  readonly records: readonly LiveRecord[];
  /** Whether the thing has more shadows. */
  readonly truncated: boolean;
}

export interface ThingRecordPage {
  readonly things: readonly ThingRecords[];
  /** Opaque; absent on the last page. */
  readonly next?: string;
  /** Revision of the store that the page is at least as new as. */
  readonly revision: number;
}

/** Shadows read at once. */
const WAVE = 100;
/** Shadows, and stored bytes of them, after which a page ends before its limit. */
const MAX_READ = 500;
const MAX_READ_BYTES = 4 * 1024 * 1024;

/** Lists the things that have a shadow. No other registry of things exists (PROTOCOL 1.1). */
@Injectable()
export class ListThings {
  constructor(
    @Inject(SHADOW_STORE) private readonly store: ShadowStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** @throws ServiceError invalidRequest for a bad `after`; revisionAhead; what the store throws */
  async list(
    { tenant, limit, after, minRevision }: ListThingsQuery,
    options: RequestOptions,
  ): Promise<ThingRecordPage> {
    const wait = { minRevision, deadline: options.deadline, clock: this.clock };
    const page = await asNewAs(wait, () => this.store.listThings(tenant, limit, after, options), revisionOfPage);
    const { revision } = page;
    const things: ThingRecords[] = [];
    const left = [...page.things];
    let read = 0;
    let bytes = 0;
    while (left.length > 0) {
      const wave = nextWave(left);
      const keys = wave.flatMap(({ thing, shadows }) => shadows.map((name) => ({ tenant, thing, name })));
      // One foreign value must not hide the things after it: the list could not be paged past it.
      const records = await readShadows(this.store, keys, { ...options, omitUnreadable: true });
      things.push(...wave.map((listed) => withRecords(listed, records)).filter((each) => each.records.length > 0));
      read += records.length;
      bytes += records.reduce((sum, record) => sum + (record.bytes ?? 0), 0);
      const last = wave.at(-1);
      if (last && left.length > 0 && (read >= MAX_READ || bytes >= MAX_READ_BYTES)) {
        return { things, revision, next: encodeThingPage(tenant, last.thing) };
      }
    }
    return page.next === undefined ? { things, revision } : { things, revision, next: page.next };
  }
}

/** Removes things from the front of `left`: as many as have WAVE shadows together, at least one. */
function nextWave(left: ListedThing[]): ListedThing[] {
  let shadows = 0;
  const end = left.findIndex((each) => (shadows += each.shadows.length) >= WAVE);
  return left.splice(0, end === -1 ? left.length : end + 1);
}

function withRecords({ thing, truncated }: ListedThing, records: readonly LiveRecord[]): ThingRecords {
  return { thing, truncated: truncated === true, records: records.filter(({ key }) => key.thing === thing) };
}
