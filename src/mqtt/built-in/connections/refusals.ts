import { actorOf, type Audit } from '../../../access/audit.js';
import type { Logger } from '../../../telemetry/logger.js';
import { MAX_TOPIC_BYTES } from '../../topics.js';
import type { RequestOwner } from './incoming-request.js';

/** Refusals of one connection that it may have beyond those that time forgives. */
const MAX = 100;
/** Refusals that one second forgives. */
const FORGIVEN = 10;

export interface Refusal {
  readonly action: 'publish' | 'subscribe';
  /** Topic or filter. */
  readonly target: string;
  readonly reason: string;
  /** Of the error table, or the reason. */
  readonly code: string;
}

/**
 * What one connection was refused: the first of each kind leaves a line in the log, the others are counted in one line at
 * the end. Its client is ended when it does not stop.
 */
export class Refusals {
  readonly #counts = new Map<string, number>();
  #pending = 0;

  constructor(
    private readonly owner: Pick<RequestOwner, 'clientId' | 'principal' | 'address'>,
    private readonly door: { readonly logger: Logger; readonly audit: Audit },
  ) {}

  /** @returns whether there are too many now */
  add(refusal: Refusal): boolean {
    const { action, target, reason } = refusal;
    const message = action === 'publish' ? 'publish refused' : 'subscription refused';
    const kind = `${message}: ${reason}`;
    const before = this.#counts.get(kind) ?? 0;
    this.#counts.set(kind, before + 1);
    // A topic that is no request may be up to 64 KiB long.
    const topic = action === 'publish' ? { topic: target.slice(0, MAX_TOPIC_BYTES) } : {};
    if (before === 0) this.door.logger.info({ clientId: this.owner.clientId, reason, ...topic }, message);
    this.#record(refusal);
    return ++this.#pending > MAX;
  }

  /** To be called once a second, about. */
  forgive(): void {
    this.#pending = Math.max(0, this.#pending - FORGIVEN);
  }

  logCounts(): void {
    const { clientId } = this.owner;
    for (const [kind, count] of this.#counts) {
      if (count > 1) this.door.logger.info({ clientId, kind, count }, 'refused in all');
    }
  }

  #record({ action, target, code }: Refusal): void {
    const { principal, address, clientId } = this.owner;
    const { tenant } = principal;
    this.door.audit.record({
      ...{ action: `mqtt:${action}`, actor: actorOf(principal), tenant, target },
      ...{ address, clientId, outcome: 'refused', code },
    });
  }
}
