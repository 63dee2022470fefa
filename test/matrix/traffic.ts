import { setTimeout as pause } from 'node:timers/promises';
import { isTombstone } from '../../src/document/shadow-document.js';
import { ServiceError } from '../../src/errors/service-error.js';
import { FeedGap, type ShadowFeed } from '../../src/store/shadow-feed.js';
import type { Position } from '../../src/store/position.js';
import type { Change, ShadowRecord } from '../../src/store/shadow-store.js';
import type { History, Section, Told, UpdateOp } from '../faults/model/history.js';
import { difference, merge } from '../faults/model/model.js';
import { TENANT, WRITTEN_AT, type OpenColumn } from './open-column.js';

/** Shadows of the devices of a node. */
export const SHADOWS = 16;
/** Milliseconds from one write of a shadow to the next, where answers come sooner. */
const PACE_MS = 20;
const READ_PACE_MS = 10;
/** Milliseconds after which a write is in doubt, and a read has failed. */
const DEADLINE_MS = 2_000;

const nameOf = (i: number): string => `s-${i}`;
export const keyOf = (shadow: string) => ({ tenant: TENANT, thing: shadow, name: null });

/** Codes of refusals that say that nothing was written. */
const REFUSED = new Set(['storageUnavailable', 'draining', 'tooManyRequests', 'fenced', 'storageFull']);

/**
 * What the clients of one node do. Each shadow is written by one device of the node, one report after the other; the
 * clients of a second node write what is desired of the same shadows.
 */
export class NodeTraffic {
  readonly #running: Promise<void>[] = [];
  #stopped = false;
  #ids = 0;

  constructor(
    readonly node: number,
    private readonly column: OpenColumn,
    private readonly history: History,
    /** Whether a read that tells how old it is, is judged as one that began so long ago; else as one of the present. */
    private readonly asOld = false,
  ) {}

  start(): void {
    for (let i = 0; i < SHADOWS; i++) this.#running.push(this.#write(nameOf(i)));
    if (this.node === 0) this.#running.push(this.#read());
  }

  /** Returns when the last answer is there. Never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  async #write(shadow: string): Promise<void> {
    while (!this.#stopped) {
      const next = pause(PACE_MS);
      await this.#writeOne(shadow);
      await next;
    }
  }

  async #writeOne(shadow: string): Promise<void> {
    const id = `n${this.node}w${++this.#ids}`;
    const section = this.node === 0 ? 'reported' : 'desired';
    const patch = this.node === 0 ? { d: id, [WRITTEN_AT]: Date.now() } : { a: id };
    const from = performance.now();
    const op: UpdateOp = {
      ...{ id, kind: 'update', shadow, node: this.node, door: 'http', section, patch, from },
      ...{ to: Infinity, outcome: 'maybe', step: null, reason: 'no answer' },
    };
    this.history.updates.push(op);
    try {
      const options = { deadline: from + DEADLINE_MS };
      const { state } = await this.column.store.update(keyOf(shadow), changeOf(id, section, patch), options);
      Object.assign(op, { to: performance.now(), outcome: 'acked', step: state.version, reason: '' });
    } catch (error) {
      const reason = error instanceof ServiceError ? error.code : String(error);
      Object.assign(op, { to: performance.now(), outcome: REFUSED.has(reason) ? 'rejected' : 'maybe', reason });
    }
  }

  async #read(): Promise<void> {
    for (let i = 0; !this.#stopped; i++) {
      const next = pause(READ_PACE_MS);
      const shadow = nameOf(i % SHADOWS);
      const from = performance.now();
      try {
        const { told, ageMs } = await this.column.read(keyOf(shadow), from + DEADLINE_MS);
        const asOf = from - (this.asOld ? (ageMs ?? 0) : 0);
        this.history.reads.push({ shadow, node: this.node, door: 'http', from: asOf, to: performance.now(), told });
      } catch {
        // A read that fails promises nothing.
      }
      await next;
    }
  }
}

function changeOf(id: string, section: 'desired' | 'reported', patch: Section): Change {
  return (current) => {
    const before = current === null || isTombstone(current) ? null : current;
    const merged = merge((before?.[section] ?? {}) as Section, patch);
    const sections = { desired: before?.desired, reported: before?.reported, [section]: merged };
    const present = Object.fromEntries(Object.entries(sections).filter(([, value]) => value !== undefined));
    return {
      state: { version: (current?.version ?? 0) + 1, ...present, metadata: {} },
      change: { kind: 'update', patch: { [section]: patch }, clientToken: id, principal: 'matrix', at: Date.now() },
    };
  };
}

/** Follows a feed into a history, as a watch stream does; where the history is another one, it begins anew with that. */
export class Follower {
  readonly #stop = new AbortController();
  #done: Promise<void> = Promise.resolve();
  /** Times of the changes. */
  readonly times: number[] = [];
  #last = 0;

  constructor(
    private readonly stream: string,
    private readonly feed: ShadowFeed,
    private readonly history: History,
  ) {}

  start(from: Position): void {
    this.#done = this.#follow(from);
  }

  /** Revision of the last change. */
  get reached(): number {
    return this.#last;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #follow(start: Position): Promise<void> {
    const { signal } = this.#stop;
    let from: Position | null = start;
    for (let segment = 0; !signal.aborted;) {
      try {
        from ??= await this.feed.head(signal);
        for await (const batch of this.feed.after(from, signal)) {
          from = batch.position;
          for (const record of batch.records) this.#note(record, segment);
          this.#last = batch.position.revision;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof FeedGap) {
          const reason = `starts over: ${error.reason}`;
          this.history.endings.push({ stream: `${this.stream}#${segment++}`, at: performance.now(), reason });
          from = null;
        }
        await pause(20);
      }
    }
  }

  #note({ key, state, change, position }: ShadowRecord, segment: number): void {
    if (key.tenant !== TENANT || isTombstone(state)) return;
    const desired = (state.desired ?? {}) as Section;
    const reported = (state.reported ?? {}) as Section;
    this.times.push(performance.now());
    this.history.changes.push({
      ...{ stream: this.stream, segment, kind: 'change', deleted: false, shadow: key.thing, desired, reported },
      ...{ revision: position.revision, version: state.version, id: change.clientToken ?? null },
      patch: (change.patch ?? null) as never,
      ...{ delta: difference(desired, reported), at: performance.now() },
    });
  }
}

/** Every shadow, as the store has it. @throws Error when it does not answer */
export async function finalStates(column: OpenColumn): Promise<Map<string, Told | null>> {
  const found = new Map<string, Told | null>();
  for (let i = 0; i < SHADOWS; i++) {
    const record = await column.store.get(keyOf(nameOf(i)), { deadline: performance.now() + 10_000 });
    const state = record?.state;
    const isThere = state !== undefined && !isTombstone(state);
    const { desired = {}, reported = {} } = isThere ? state : {};
    const told = { desired: desired as Section, reported: reported as Section };
    found.set(nameOf(i), isThere ? { version: state.version, ...told } : null);
  }
  return found;
}
