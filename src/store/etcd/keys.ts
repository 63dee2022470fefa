import { bucketOf } from '../bucket.js';
import { PRESENCE_PATH, RECORDS } from '../presence-record.js';
import type { ShadowKey } from '../shadow-store.js';

/**
 * `{prefix}shadows/{bb}/{tenant}/{thing}/c` for the classic shadow and `…/n:{name}` for a named one. `bb` is one of 256
 * buckets: etcd walks the rest of the index for every page of a range, so one range over a million keys is quadratic
 * and 256 small ones are not. Names are already checked, so nothing needs escaping.
 */

const hex = (bucket: number): string => bucket.toString(16).padStart(2, '0');

/** Prefix of all shadows. Feeds watch it, and what lies from the records of presence up to it. */
export const shadowsPrefix = (prefix: string): string => `${prefix}shadows/`;

/** Prefix of the keys by which nodes divide their work: leases, claims, cursors. */
export const clusterPrefix = (prefix: string): string => `${prefix}cluster/`;

/** Prefix of the records of presence: behind all other keys of the cluster but marks of progress. */
export const presencePrefix = (prefix: string): string => clusterPrefix(prefix) + PRESENCE_PATH + RECORDS;

/** Last part of a key that shows watches how far they are. */
const PROGRESS = '~progress';

/** The key below the watched `prefix` that is put to show its watches how far they are. */
export const progressKey = (prefix: string): string => prefix + PROGRESS;

/** Whether a key only shows watches how far they are. No caller sees it. */
export const isProgressKey = (key: string): boolean => key.endsWith(PROGRESS);

/** Prefix of all shadows in `bucket`, 0 to 255. */
export const bucketPrefix = (prefix: string, bucket: number): string => `${prefix}shadows/${hex(bucket)}/`;

/** Prefix of all shadows of a thing. */
export const thingPrefix = (prefix: string, tenant: string, thing: string): string =>
  `${bucketPrefix(prefix, bucketOf(tenant, thing))}${tenant}/${thing}/`;

/** The etcd key of a shadow. */
export function formatKey(prefix: string, key: ShadowKey): string {
  return thingPrefix(prefix, key.tenant, key.thing) + (key.name === null ? 'c' : `n:${key.name}`);
}

/** The shadow that an etcd key names, or null for a foreign key. */
export function parseKey(prefix: string, key: string): ShadowKey | null {
  if (!isShadowKey(prefix, key)) return null;
  const shadow = splitKey(prefix, key);
  return isInBucket(prefix, key, shadow) ? shadow : null;
}

/** Characters of `shadows/`, and of `{bb}/` after it. */
const FOLDER = 8;
const BUCKET = 3;

/** Whether a key has the form of the key of a shadow; it may still lie in a foreign bucket. For every event of a watch. */
export function isShadowKey(prefix: string, key: string): boolean {
  const start = prefix.length + FOLDER + BUCKET;
  if (key.charCodeAt(start - 1) !== SLASH || !key.startsWith(prefix) || !key.startsWith('shadows/', prefix.length)) {
    return false;
  }
  const tenantEnd = key.indexOf('/', start);
  const thingEnd = key.indexOf('/', tenantEnd + 1);
  if (tenantEnd <= start || thingEnd <= tenantEnd + 1 || key.indexOf('/', thingEnd + 1) >= 0) return false;
  const isClassic = key.length === thingEnd + 2 && key.endsWith('c');
  return isClassic || (key.length > thingEnd + 3 && key.startsWith('n:', thingEnd + 1));
}

/** The shadow that a key names by its form, which isShadowKey has checked. */
export function splitKey(prefix: string, key: string): ShadowKey {
  const start = prefix.length + FOLDER + BUCKET;
  const tenantEnd = key.indexOf('/', start);
  const thingEnd = key.indexOf('/', tenantEnd + 1);
  const isClassic = key.length === thingEnd + 2;
  return {
    tenant: key.slice(start, tenantEnd),
    thing: key.slice(tenantEnd + 1, thingEnd),
    name: isClassic ? null : key.slice(thingEnd + 3),
  };
}

/** Whether the key of a shadow lies in its bucket: in a foreign one it would be listed and never found. */
export function isInBucket(prefix: string, key: string, { tenant, thing }: ShadowKey): boolean {
  return key.startsWith(`${hex(bucketOf(tenant, thing))}/`, prefix.length + FOLDER);
}

const SLASH = '/'.charCodeAt(0);

/** First key after all keys that start with `prefix`, as etcd's `range_end`. `prefix` ends in `/`, never in 0xff. */
export function rangeEnd(prefix: string): Buffer {
  const end = Buffer.from(prefix);
  const last = end.length - 1;
  end.writeUInt8(end.readUInt8(last) + 1, last);
  return end;
}
