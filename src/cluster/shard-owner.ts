import { createHash } from 'node:crypto';

/**
 * Which of the live instances should own a shard (rendezvous hashing): every node comes to the same answer alone, and
 * when an instance comes or goes only the shards that it gains or had move. It is a preference; what counts is the
 * claim (claims.ts), so that two nodes with different views never own the same shard.
 */
export function ownerOf(shard: string, instances: Iterable<string>): string | null {
  let owner: string | null = null;
  let highest = '';
  for (const instance of instances) {
    const weight = createHash('sha1').update(`${shard}\0${instance}`).digest('hex');
    // Equal weights: the smaller name, so that the order of the list does not matter.
    if (weight > highest || (weight === highest && owner !== null && instance < owner)) {
      highest = weight;
      owner = instance;
    }
  }
  return owner;
}
