import { claimGuard } from '../cluster/shard-claims.js';
import type { ClusterKeys } from '../store/cluster-keys.js';
import type { Position } from '../store/position.js';

/** Where each shard of a sink has got to, in etcd. A cursor is written by the holder of the shard's claim alone. */
export class SinkCursors {
  /** @param sink names the output; another name begins anew */
  constructor(
    private readonly keys: ClusterKeys,
    private readonly sink: string,
    private readonly instance: string,
  ) {}

  /** Notes `head` for shards that have no cursor: everything committed from here on is theirs to send. */
  async begin(shards: readonly string[], head: Position): Promise<void> {
    const known = await this.keys.list(this.#key(''));
    for (const shard of shards) {
      const key = this.#key(shard);
      if (known.has(key)) continue;
      await this.keys.commit({ guards: [{ key, value: null }], puts: [{ key, value: JSON.stringify(head) }] });
    }
  }

  /** Read after the claim was won: the holder before wrote its last one before it gave up. */
  async load(shards: readonly string[]): Promise<Map<string, Position>> {
    const known = await this.keys.list(this.#key(''));
    return new Map(
      shards.flatMap((shard) => {
        const position = parse(known.get(this.#key(shard)));
        return position ? [[shard, position] as const] : [];
      }),
    );
  }

  /** @returns false when one of the claims is not ours any more: nothing was written */
  save(positions: ReadonlyMap<string, Position>): Promise<boolean> {
    const shards = [...positions.keys()];
    return this.keys.commit({
      guards: shards.map((shard) => claimGuard(shard, this.instance)),
      puts: shards.map((shard) => ({ key: this.#key(shard), value: JSON.stringify(positions.get(shard)) })),
    });
  }

  #key(shard: string): string {
    return `cursors/${this.sink}/${shard}`;
  }
}

/** A cursor that cannot be read counts as one that is not there. */
function parse(text: string | undefined): Position | null {
  if (text === undefined) return null;
  try {
    const { cluster, epoch, revision } = JSON.parse(text) as Partial<Position>;
    if (typeof cluster !== 'string' || !Number.isSafeInteger(epoch) || !Number.isSafeInteger(revision)) return null;
    return { cluster, epoch: epoch as number, revision: revision as number };
  } catch {
    return null;
  }
}
