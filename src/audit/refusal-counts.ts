import type { AuditEvent } from '../access/audit.js';
import { networkOf } from '../access/network-of.js';

/** What stands for the refusals of all kinds beyond. */
const OTHERS: AuditEvent = {
  ...{ action: 'others', actor: null, tenant: null, target: '', address: '' },
  ...{ outcome: 'refused', code: null },
};
/** Kinds of refusals that are told apart at once. */
const MAX_KINDS = 200;

interface Counted {
  readonly event: AuditEvent;
  /** Since the last entry. */
  count: number;
}

/**
 * Makes entries of refusals: the first of a kind at once, the others of its window as one. Whoever is refused all the
 * time, or comes from many addresses, gets few entries, however often it asks.
 */
export class RefusalCounts {
  readonly #kinds = new Map<string, Counted>();

  /** @param write takes an entry; `count`: how often it happened since the last one of its kind */
  constructor(private readonly write: (event: AuditEvent, count: number) => void) {}

  add(event: AuditEvent): void {
    const kind = kindOf(event);
    const known = this.#kinds.get(kind);
    if (known !== undefined) return void known.count++;
    if (this.#kinds.size >= MAX_KINDS) return this.#addToOthers();
    this.#kinds.set(kind, { event, count: 0 });
    this.write(event, 1);
  }

  /** Whether something waits for the end of its window. */
  get isEmpty(): boolean {
    return this.#kinds.size === 0;
  }

  /** Ends the window: writes what has been counted in it, and forgets the kinds that were quiet. */
  flush(): void {
    for (const [kind, counted] of this.#kinds) {
      const { event, count } = counted;
      counted.count = 0;
      if (count === 0) this.#kinds.delete(kind);
      else this.write(event, count);
    }
  }

  /** Said at the end of the window, for no tenant. */
  #addToOthers(): void {
    const others = this.#kinds.get(OTHERS.action);
    if (others !== undefined) others.count++;
    else this.#kinds.set(OTHERS.action, { event: OTHERS, count: 1 });
  }
}

/** By where the caller is and, of one that is known, who it is. */
function kindOf({ actor, address, action, code }: AuditEvent): string {
  const who = actor === null ? '' : JSON.stringify([actor.tenant, actor.id]);
  return `${networkOf(address)} ${who} ${action} ${code ?? ''}`;
}
