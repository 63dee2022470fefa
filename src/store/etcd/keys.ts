import { bucketOf } from '../bucket.js';
import type { ShadowKey } from '../shadow-store.js';

/**
 * `{prefix}shadows/{bb}/{tenant}/{thing}/c` for the classic shadow and `…/n:{name}` for a named one. `bb` is one of 256
 * buckets: etcd walks the rest of the index for every page of a range, so one range over a million keys is quadratic
 * and 256 small ones are not. Names are already checked, so nothing needs escaping.
 */

const hex = (bucket: number): string => bucket.toString(16).padStart(2, '0');

/** Prefix of all shadows; feeds watch it. */
export const shadowsPrefix = (prefix: string): string => `${prefix}shadows/`;

/** Prefix of the keys by which nodes divide their work: leases, claims, cursors. */
export const clusterPrefix = (prefix: string): string => `${prefix}cluster/`;

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
  const start = prefix.length + 'shadows/'.length;
  if (!key.startsWith(shadowsPrefix(prefix))) return null;
  const [bucket, tenant, thing, tail, ...rest] = key.slice(start).split('/');
  if (rest.length > 0 || !tenant || !thing || !tail) return null;
  // A key in a foreign bucket would be listed and never found.
  if (bucket !== hex(bucketOf(tenant, thing))) return null;
  if (tail === 'c') return { tenant, thing, name: null };
  return tail.startsWith('n:') && tail.length > 2 ? { tenant, thing, name: tail.slice(2) } : null;
}

/** First key after all keys that start with `prefix`, as etcd's `range_end`. `prefix` ends in `/`, never in 0xff. */
export function rangeEnd(prefix: string): Buffer {
  const end = Buffer.from(prefix);
  const last = end.length - 1;
  end.writeUInt8(end.readUInt8(last) + 1, last);
  return end;
}
