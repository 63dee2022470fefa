import type { Authorizer } from '../access/authorizer.js';
import type { Principal } from '../access/principal.js';
import { Signal } from '../resilience/signal.js';
import type { KnownPresence } from './known-presence.js';
import { parseRecordKey, recordKey } from './presence-record.js';

/** Milliseconds after which an expired credential ends its stream, at most: nothing else changes when it expires. */
const EXPIRY_MS = 5_000;

export type PresenceEnd = 'closed' | 'too-slow' | 'draining' | 'forbidden';

export interface PresenceWatchParts {
  readonly known: KnownPresence;
  readonly authorizer: Authorizer;
  readonly principal: Principal;
  /** IP address of the reader. */
  readonly address: string;
  /** Whether the reader asks for this client. */
  readonly wants: (clientId: string) => boolean;
  /** Clients whose change may wait for the reader. */
  readonly maxQueued: number;
}

/**
 * What one reader is told, within what policies allow at that time. Of a client whose state changes again before the reader
 * has taken it, the last state is told.
 */
export class PresenceWatch {
  readonly #changed = new Set<string>();
  readonly #more = new Signal();
  readonly #offs: (() => void)[];
  #end: PresenceEnd | null = null;
  /** Called once, with the end. */
  onEnd: () => void = () => undefined;

  constructor(private readonly parts: PresenceWatchParts) {
    const { known, authorizer, principal, wants, maxQueued } = parts;
    const review = (): void => this.#review();
    const timer = principal.expiresAt === undefined ? undefined : setInterval(review, EXPIRY_MS).unref();
    this.#offs = [
      () => clearInterval(timer),
      authorizer.onChange(review),
      known.onEvent(({ tenant, clientId }) => {
        if (tenant !== principal.tenant || !wants(clientId)) return;
        const key = recordKey({ tenant, clientId });
        this.#changed.delete(key);
        this.#changed.add(key);
        if (this.#changed.size > maxQueued) this.end('too-slow');
        this.#more.notify();
      }),
    ];
  }

  /** null: it goes on. */
  get ended(): PresenceEnd | null {
    return this.#end;
  }

  /** Keys of all clients that are known now. No errors. */
  *present(): IterableIterator<string> {
    const { known, principal, wants } = this.parts;
    for (const key of known.keys()) {
      const client = key.startsWith(`${principal.tenant}/`) ? parseRecordKey(key) : null;
      if (client !== null && wants(client.clientId)) yield key;
    }
  }

  /** The key of the next client whose state has changed; null: there is none now. No errors. */
  take(): string | null {
    for (const key of this.#changed) {
      this.#changed.delete(key);
      return key;
    }
    return null;
  }

  /** The client that a key names, unless policies hide it from the reader. No errors. */
  shown(key: string): string | null {
    const { authorizer, principal, address } = this.parts;
    const clientId = parseRecordKey(key)?.clientId ?? null;
    if (clientId === null || !authorizer.isRequired) return clientId;
    return authorizer.allows(principal, 'umbra:GetPresence', `client/${clientId}`, { address }) ? clientId : null;
  }

  /** Resolves when there is more, when it has ended, or after so many milliseconds. Never rejects. */
  async wait(ms: number): Promise<void> {
    if (this.#changed.size === 0 && this.#end === null) await this.#more.next({ limitMs: ms });
  }

  /** The first end counts. No errors. */
  end(reason: PresenceEnd): void {
    if (this.#end !== null) return;
    this.#end = reason;
    for (const off of this.#offs) off();
    this.#more.notify();
    this.onEnd();
  }

  #review(): void {
    const { authorizer, principal } = this.parts;
    if (!authorizer.isActive(principal) || !authorizer.mayEver(principal, 'umbra:GetPresence')) this.end('forbidden');
  }
}
