/** Parts into which all shadows are divided, in keys (store/etcd/keys.ts) and among the owners of shared outputs. */
export const BUCKETS = 256;

/** FNV-1a over the ASCII bytes of tenant and thing: stable across versions, since keys depend on it. */
export function bucketOf(tenant: string, thing: string): number {
  let hash = 0x811c9dc5;
  const text = `${tenant}/${thing}`;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  // Fold all four bytes into one: the low byte of FNV alone is the weakest.
  return (hash ^ (hash >>> 8) ^ (hash >>> 16) ^ (hash >>> 24)) & 0xff;
}
