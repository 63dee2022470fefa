import { stepOf, type History, type UpdateOp } from './history.js';

/** Which steps of its shadow each update or deletion is, as far as any stream or message told. */
export class Applied {
  readonly #steps = new Map<string, Set<number>>();

  constructor(history: History) {
    for (const change of history.changes)
      if (change.kind === 'change') this.#note(change.id, change.shadow, stepOf(change));
    for (const { kind, body, shadow, version } of history.messages) {
      if (kind !== 'accepted' && kind !== 'deleted') continue;
      const token = body['clientToken'] as string | undefined;
      this.#note(token ?? null, shadow, stepOf({ version, deleted: kind === 'deleted' }));
    }
  }

  /** In order; none when it was not applied, or when nobody told. */
  seen({ id, shadow }: UpdateOp): readonly number[] {
    return [...(this.#steps.get(`${shadow} ${id}`) ?? [])].sort((a, b) => a - b);
  }

  /** The same, with what its own answer said. */
  steps(op: UpdateOp): readonly number[] {
    const seen = this.seen(op);
    return seen.length === 0 && op.step !== null ? [op.step] : seen;
  }

  /** It may have been applied, and nobody told as which step. */
  isUnknown(op: UpdateOp): boolean {
    return op.outcome !== 'rejected' && this.steps(op).length === 0;
  }

  #note(id: string | null, shadow: string, step: number): void {
    if (id === null) return;
    const key = `${shadow} ${id}`;
    const known = this.#steps.get(key);
    if (known) known.add(step);
    else this.#steps.set(key, new Set([step]));
  }
}
