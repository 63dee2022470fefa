import type { Authorizer } from '../access/authorizer.js';
import type { Principal } from '../access/principal.js';
import { Signal } from '../resilience/signal.js';
import type { KnownPresence } from './known-presence.js';
import { parseRecordKey, recordKey } from '../store/presence-record.js';
import type { PresenceWalk } from './presence-walk.js';

/** Milliseconds after which an expired credential ends its stream, at most: nothing else changes when it expires. */
const EXPIRY_MS = 5_000;

export type PresenceEnd = 'closed' | 'too-slow' | 'draining' | 'forbidden';

/** The clients that a reader asks for. */
export interface AskedClients {
  /** All of them by their identifiers; null: there may be others. */
  readonly names: readonly string[] | null;
  readonly has: (clientId: string) => boolean;
}

export interface PresenceWatchParts {
  readonly known: KnownPresence;
  readonly authorizer: Authorizer;
  readonly principal: Principal;
  /** IP address of the reader. */
  readonly address: string;
  readonly asked: AskedClients;
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
  /** Over what the reader has not been told yet; null: it has been told everything, or asks for a few clients by name. */
  #walk: PresenceWalk | null;
  #end: PresenceEnd | null = null;
  /** Called once, with the end. */
  onEnd: () => void = () => undefined;

  constructor(private readonly parts: PresenceWatchParts) {
    const { known, authorizer, principal, asked, maxQueued } = parts;
    this.#walk = asked.names === null ? known.walk(principal.tenant) : null;
    const review = (): void => this.#review();
    const timer = principal.expiresAt === undefined ? undefined : setInterval(review, EXPIRY_MS).unref();
    this.#offs = [
      () => clearInterval(timer),
      authorizer.onChange(review),
      known.onEvent(({ tenant, clientId }) => {
        if (tenant !== principal.tenant || !asked.has(clientId)) return;
        const key = recordKey({ tenant, clientId });
        // It is told as it is then: a reader is not too slow for what it has not been told yet.
        if (this.#walk?.isToCome(key)) return;
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

  /**
   * Keys of the clients that the reader may be told, to be called once, before take(). Each comes once, also if it changes
   * meanwhile. The reader may ask for none of many: whoever iterates gives the loop a turn now and then. No errors.
   */
  *present(): IterableIterator<string> {
    const { known, principal, asked } = this.parts;
    if (this.#walk !== null) yield* this.#walk.keys();
    this.#walk = null;
    for (const clientId of asked.names ?? []) {
      const key = recordKey({ tenant: principal.tenant, clientId });
      this.#changed.delete(key);
      if (known.get(key) !== null) yield key;
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

  /** The client that a key names; null: the reader does not ask for it, or policies hide it. No errors. */
  shown(key: string): string | null {
    const { authorizer, principal, address, asked } = this.parts;
    const clientId = parseRecordKey(key)?.clientId ?? null;
    if (clientId === null || !asked.has(clientId)) return null;
    if (!authorizer.isRequired) return clientId;
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
