import { randomUUID } from 'node:crypto';
import type { Clock } from '../resilience/clock.js';
import { hasRoom } from './client-room.js';
import { disconnectReason } from './disconnect-reason.js';
import type { KnownPresence, RecordFollower } from './known-presence.js';
import { clientOf, LocalSession, type ClientConnection } from './local-session.js';
import { recordKey, type ClientName, type PresenceRecord, type Stored } from '../store/presence-record.js';

/** Milliseconds between two looks for signs of life. */
const LOOK_MS = 1_000;
/** Connections that have ended before anything was written of them, while etcd does not answer; more are forgotten. */
const MAX_UNTOLD = 10_000;

export interface LocalSessionsOptions {
  /** This life of this node. */
  readonly instance: string;
  readonly known: KnownPresence;
  readonly maxClients: number;
  readonly clock: Clock;
  /** Milliseconds of the clock by which connections say when they were heard. */
  readonly heardNow: () => number;
  /** There is something to write. It must not wait. */
  readonly onDirty: () => void;
  /** A client is not recorded, because there are too many. It must not wait. */
  readonly onFull: () => void;
}

/**
 * The clients of this node: of each the newest connection, until the end of it is written. A client is dirty when its record
 * may not be as it should be; however often it comes and goes meanwhile, only its last state is written.
 */
export class LocalSessions implements RecordFollower {
  readonly #sessions = new Map<string, LocalSession>();
  readonly #dirty = new Set<string>();
  /** Open sessions whose clients other nodes have recorded since. */
  readonly #overruled = new Set<LocalSession>();
  #ended = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(private readonly options: LocalSessionsOptions) {}

  /** Clients whose records are still to be written. */
  get dirty(): number {
    return this.#dirty.size;
  }

  /** Sessions that are kept, open ones and those whose end is not written. */
  get size(): number {
    return this.#sessions.size;
  }

  /** A client has connected. No errors. */
  connected(connection: ClientConnection): void {
    const { instance, clock, onFull } = this.options;
    const client = clientOf(connection);
    const key = recordKey(client);
    const before = this.#sessions.get(key);
    if (before === undefined && !this.#mayRecord(key, client)) return onFull();
    if (before !== undefined) this.#remove(before);
    const { principal, address } = connection;
    const start = { id: randomUUID(), instance, principal: principal.id, address, since: clock.now() };
    const session = new LocalSession(key, connection, start);
    session.stored = before?.stored ?? null;
    this.#sessions.set(key, session);
    this.#mark(session);
  }

  /** A client has left. @param reason of the broker's onLeft. No errors. */
  left(connection: ClientConnection, reason: number | null): void {
    const session = this.#sessions.get(recordKey(clientOf(connection)));
    if (session?.connection !== connection || session.end !== null) return;
    const at = this.options.clock.now();
    this.#end(session, { at, lastSeen: this.#heardAt(session, at), reason: disconnectReason(reason) });
  }

  /** When the client of an open session was last heard, in epoch milliseconds; null: it has no such session here. No errors. */
  lastSeen(key: string, id: string): number | null {
    const session = this.#sessions.get(key);
    return session?.id === id && session.end === null ? this.#heardAt(session, this.options.clock.now()) : null;
  }

  /** The newest session of the client of a connection; undefined: it is not recorded. No errors. */
  newestOf(connection: ClientConnection): LocalSession | undefined {
    return this.#sessions.get(recordKey(clientOf(connection)));
  }

  /** The next sessions to write, at most `most`; they are not dirty any more. No errors. */
  take(most: number): LocalSession[] {
    const taken: LocalSession[] = [];
    for (const key of this.#dirty) {
      if (taken.length === most) break;
      this.#dirty.delete(key);
      const session = this.#sessions.get(key);
      if (session !== undefined) taken.push(session);
    }
    return taken;
  }

  /** What is stored for the client of a session, as far as this node knows. No errors. */
  storedOf({ key, stored }: LocalSession): Stored | null {
    const known = this.options.known.get(key);
    return stored !== null && (known === null || stored.revision > known.revision) ? stored : known;
  }

  /** It could not be written. No errors. */
  putBack(session: LocalSession): void {
    if (this.#sessions.get(session.key) === session) this.#dirty.add(session.key);
  }

  /** A record of the session was written. No errors. */
  written(session: LocalSession, record: PresenceRecord, revision: number): void {
    const present = this.#sessions.get(session.key);
    if (present === undefined) return;
    // A newer connection of the client is written over it.
    present.stored = { record, revision };
    if (present !== session) return;
    session.isRecorded = true;
    this.#calm(session);
    this.#forgetIfDone(session);
  }

  /** There is nothing to write of the session. @param stored what is stored for its client. No errors. */
  settled(session: LocalSession, stored: Stored | null): void {
    if (this.#sessions.get(session.key) !== session) return;
    if (session.end !== null) this.#remove(session);
    else session.stored = stored;
  }

  /** No errors. */
  recordChanged(key: string, stored: Stored | null, revision: number): void {
    const session = this.#sessions.get(key);
    if (session === undefined) return this.#disown(key, stored);
    // The answer to the write may have been lost.
    if (stored?.record?.session === session.id) session.isRecorded = true;
    if (session.stored !== null && revision <= session.stored.revision) return this.#forgetIfDone(session);
    if (session.end !== null) return this.#dirty.has(key) ? undefined : this.#remove(session);
    this.#compare(session, stored);
  }

  /** No errors. */
  recordsReplaced(): void {
    const { known, instance } = this.options;
    for (const session of this.#sessions.values()) {
      const stored = known.get(session.key);
      const isOpen = session.end === null;
      const isOwn = stored?.record?.session === session.id && stored.record.connected === isOpen;
      // What this node has stored may belong to a history that is gone. If it is only newer than what was read, the guard
      // of the next write fails, and etcd is asked.
      session.stored = isOwn ? stored : null;
      if (stored?.record?.session === session.id) session.isRecorded = true;
      if (!isOwn && isOpen) this.#compare(session, stored);
      else if (!isOwn) this.#mark(session);
      else if (!isOpen && !this.#dirty.has(session.key)) this.#remove(session);
    }
    for (const key of known.connectedAt(instance)) if (!this.#sessions.has(key)) this.#disown(key, known.get(key));
    // What came while the records were read waits for the writer.
    if (this.#dirty.size > 0) this.options.onDirty();
  }

  /** No errors. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #mayRecord(key: string, { tenant }: ClientName): boolean {
    const { known, maxClients } = this.options;
    if (known.get(key) !== null) return true;
    return hasRoom({ all: known.size, tenants: known.tenants, own: known.sizeOf(tenant) }, maxClients);
  }

  /** Compares an open session with a record that is not of its own making. */
  #compare(session: LocalSession, stored: Stored | null): void {
    if (this.#dirty.has(session.key)) return;
    const record = stored?.record ?? null;
    if (record?.session === session.id && record.connected) {
      session.stored = stored;
      this.#calm(session);
    } else if (record === null || record.instance === session.instance) this.#mark(session);
    else this.#overrule(session);
  }

  /**
   * Another node has recorded another connection of the client, which is newer. Whether this one still works shows when
   * something comes over it: one that is half open must not be recorded again after the other has ended.
   */
  #overrule(session: LocalSession): void {
    session.overruledAt = this.options.heardNow();
    this.#overruled.add(session);
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
  }

  #look(): void {
    for (const session of this.#overruled) {
      const isElsewhere = this.options.known.get(session.key)?.record?.connected === true;
      if (isElsewhere || (session.connection?.since ?? 0) <= (session.overruledAt ?? 0)) continue;
      this.#calm(session);
      this.#mark(session);
    }
    if (this.#overruled.size === 0) this.stop();
  }

  #calm(session: LocalSession): void {
    session.overruledAt = null;
    this.#overruled.delete(session);
  }

  /** A record says that this node has a connection that it does not have: a write that was applied late, for example. */
  #disown(key: string, stored: Stored | null): void {
    const record = stored?.record;
    if (!record?.connected || record.instance !== this.options.instance) return;
    const { session: id, instance, principal, address, since, lastSeen } = record;
    const session = new LocalSession(key, null, { id, instance, principal, address, since });
    session.isRecorded = true;
    this.#sessions.set(key, session);
    this.#end(session, { at: this.options.clock.now(), lastSeen, reason: 'connection-lost' });
  }

  #end(session: LocalSession, end: NonNullable<LocalSession['end']>): void {
    session.end = end;
    this.#ended++;
    this.#calm(session);
    const { record } = this.storedOf(session) ?? { record: null };
    const isTold = record?.connected === true && record.instance === session.instance;
    if (this.#ended > MAX_UNTOLD && !isTold) this.#remove(session);
    else this.#mark(session);
  }

  /** The watch has told what this node has written of the end. */
  #forgetIfDone(session: LocalSession): void {
    const { key, end, stored } = session;
    if (end === null || stored === null || stored.record?.connected !== false || this.#dirty.has(key)) return;
    if ((this.options.known.get(key)?.revision ?? 0) >= stored.revision) this.#remove(session);
  }

  #mark(session: LocalSession): void {
    this.#dirty.add(session.key);
    this.options.onDirty();
  }

  #remove(session: LocalSession): void {
    this.#calm(session);
    if (session.end !== null) this.#ended--;
    this.#dirty.delete(session.key);
    if (this.#sessions.get(session.key) === session) this.#sessions.delete(session.key);
  }

  #heardAt({ connection, since }: LocalSession, now: number): number {
    return connection === null ? since : Math.max(since, now - (this.options.heardNow() - connection.since));
  }
}
