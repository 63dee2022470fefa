import { applyUpdate } from '../../src/document/apply-update.js';
import { DEFAULT_LIMITS } from '../../src/document/limits.js';
import { acceptedHead } from '../../src/document/message-texts.js';
import { parseUpdate } from '../../src/document/parse-request.js';
import { isTombstone } from '../../src/document/shadow-document.js';
import { patchTextFor, StoredUpdate } from '../../src/document/stored-document.js';
import { recordText } from '../../src/store/etcd/codec.js';
import { Lineage } from '../../src/store/etcd/lineage.js';
import { RecordCache } from '../../src/store/etcd/read/record-cache.js';

/**
 * A program: fills a record cache with legal documents of one kind, as updates and gets do, and prints what it then
 * holds. Arguments: entries of the cache, kind of document, number of shadows.
 */
const KINDS: Readonly<Record<string, (i: number) => string>> = {
  objects: (i) => `{"n":${i},"a":[${Array(2_600).fill('{}').join(',')}]}`,
  members: (i) => `{"n":${i},${Array.from({ length: 500 }, (_, k) => `"${k}-${i}":{}`).join(',')}}`,
  wide: (i) => `{"n":${i},"a":"${'\u20ac'.repeat(2_600)}"}`,
};

const [entries, kind, count] = process.argv.slice(2);
const make = KINDS[kind!]!;
const cache = new RecordCache(Number(entries), new Lineage());
const now = 1_700_000_000_000;
for (let i = 0; i < Number(count); i++) {
  const request = parseUpdate(Buffer.from(`{"state":{"reported":${make(i)}}}`), DEFAULT_LIMITS);
  const state = applyUpdate(null, request, { now, limits: DEFAULT_LIMITS });
  const change = new StoredUpdate(request.state, undefined, 'device', now, patchTextFor(request.state, state));
  const text = recordText({ state, change, writes: `id-${i}` });
  cache.offer(`key-${i}`, { state, change, writes: `id-${i}`, text, bytes: Buffer.byteLength(text) }, 1);
  // A get of a shadow that was updated long ago.
  const held = cache.get(`key-${i >> 1}`)?.record.state;
  if (held && !isTombstone(held)) acceptedHead(held);
}
process.stdout.write(JSON.stringify({ held: cache.size }));
