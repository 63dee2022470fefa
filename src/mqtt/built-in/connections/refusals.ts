import type { Logger } from '../../../telemetry/logger.js';
import { MAX_TOPIC_BYTES } from '../../topics.js';

/** Refusals of one connection that it may have beyond those that time forgives. */
const MAX = 100;
/** Refusals that one second forgives. */
const FORGIVEN = 10;

/**
 * What one connection was refused: the first of each kind leaves a line in the log, the others are counted in one line at
 * the end. Its client is ended when it does not stop.
 */
export class Refusals {
  readonly #counts = new Map<string, number>();
  #pending = 0;

  constructor(
    private readonly clientId: string,
    private readonly logger: Logger,
  ) {}

  /** @returns whether there are too many now */
  add(message: string, details: { readonly reason: string; readonly topic?: string }): boolean {
    const kind = `${message}: ${details.reason}`;
    const before = this.#counts.get(kind) ?? 0;
    this.#counts.set(kind, before + 1);
    // A topic that is no request may be up to 64 KiB long.
    const topic = details.topic === undefined ? {} : { topic: details.topic.slice(0, MAX_TOPIC_BYTES) };
    if (before === 0) this.logger.info({ clientId: this.clientId, ...details, ...topic }, message);
    return ++this.#pending > MAX;
  }

  /** To be called once a second, about. */
  forgive(): void {
    this.#pending = Math.max(0, this.#pending - FORGIVEN);
  }

  logCounts(): void {
    for (const [kind, count] of this.#counts) {
      if (count > 1) this.logger.info({ clientId: this.clientId, kind, count }, 'refused in all');
    }
  }
}
