import type { ClusterKeys, Guard } from '../store/cluster-keys.js';
import type { Position } from '../store/position.js';

/** How far each shard of a sink has been sent, in etcd. Only the holder of the shard's claim moves its cursor. */
export class SinkCursors {
  /**
   * @param sink names the output; another name begins anew
   * @param guard what must hold for the claim of this node on a shard; null: the node does not hold it
   */
  constructor(
    private readonly keys: ClusterKeys,
    private readonly sink: string,
    private readonly guard: (shard: string) => Guard | null,
  ) {}

  /** Records `head` for shards that have no cursor: everything that is committed from here on will be sent. */
  async begin(shards: readonly string[], head: Position): Promise<void> {
    const known = await this.keys.list(this.#key(''));
    for (const shard of shards) {
      const key = this.#key(shard);
      if (known.has(key)) continue;
      await this.keys.commit({ guards: [{ key, value: null }], puts: [{ key, value: JSON.stringify(head) }] });
    }
  }

  /** Call it after the claims were won: the earlier holder wrote its last cursors before it gave the claims up. */
  async load(shards: readonly string[]): Promise<Map<string, Position>> {
    const known = await this.keys.list(this.#key(''));
    return new Map(
      shards.flatMap((shard) => {
        const position = parse(known.get(this.#key(shard))?.value);
        return position ? [[shard, position] as const] : [];
      }),
    );
  }

  /** @returns false when this node has lost one of the claims: nothing was written */
  async save(positions: ReadonlyMap<string, Position>): Promise<boolean> {
    const guards: Guard[] = [];
    for (const shard of positions.keys()) {
      const guard = this.guard(shard);
      if (guard === null) return false;
      guards.push(guard);
    }
    const puts = [...positions].map(([shard, position]) => ({
      key: this.#key(shard),
      value: JSON.stringify(position),
    }));
    return (await this.keys.commit({ guards, puts })) !== null;
  }

  #key(shard: string): string {
    return `cursors/${this.sink}/${shard}`;
  }
}

/** A cursor that cannot be parsed counts as missing. */
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
