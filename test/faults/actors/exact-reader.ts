import { setTimeout as pause } from 'node:timers/promises';
import { digestOf, type Commit } from '../model/commit.js';
import { Segment, type ExactHistory, type ReaderHistory } from '../model/exact-history.js';
import { shadowId, type Section, type Told } from '../model/history.js';
import type { ExactView } from '../model/exact-view.js';
import type { Random } from '../plans/random.js';
import type { Target } from './rest-caller.js';
import { openStream, type Stream, type StreamItem, type Transport } from './stream.js';

interface Data {
  readonly thing: string;
  readonly shadow: string | null;
  readonly kind: 'updated' | 'deleted';
  readonly version: number;
  readonly revision: number;
  readonly patch: Commit['patch'];
  readonly delta: Section | null;
  readonly clientToken?: string;
  readonly document: { readonly state: Partial<Pick<Told, 'desired' | 'reported'>> } | null;
}

export interface Unrest {
  readonly random: Random;
  /** Milliseconds of the longest absences. */
  readonly awayMs: readonly [least: number, most: number];
}

/** Milliseconds between two of its pranks, for which it is frozen, and for which it is away for a short time. */
const PRANK_MS = [1_500, 12_000] as const;
const FROZEN_MS = [300, 6_000] as const;
const SHORT_MS = [0, 3_000] as const;
const SHARES = { leaves: 0.45, freezes: 0.8 };
/** Milliseconds between attempts to connect. */
const AGAIN_MS = 200;

/** A reader that is killed, frozen, and away for short and long, and resumes on whatever node answers. */
export class ExactReader {
  readonly #told: ReaderHistory;
  #segment = new Segment();
  #lastId: string | null = null;
  #stream: Stream | null = null;
  /** What the next id or end decides: the cursor that was sent. */
  #asked: { node: number; revision: number; at: number } | null = null;
  #gate: Promise<unknown> = Promise.resolve();
  #awayUntil = 0;
  #isStopped = false;
  #done: Promise<unknown> = Promise.resolve();
  readonly #restless = new AbortController();

  constructor(
    readonly name: string,
    private readonly how: { readonly transport: Transport; readonly view: ExactView; readonly unrest: Unrest },
    private readonly targets: readonly Target[],
    private readonly history: ExactHistory,
  ) {
    this.#told = { name, view: history.commits.views.indexOf(how.view), segments: [this.#segment] };
    history.readers.push(this.#told);
  }

  /** Ends when it has a position. */
  async start(): Promise<void> {
    await new Promise<void>((resolve) => (this.#done = Promise.all([this.#run(resolve), this.#unrest()])));
  }

  /** The last revision of which it was told everything. */
  get position(): number {
    const { reached, isWhole } = this.#segment;
    return isWhole ? reached : reached - 1;
  }

  /** No pranks any more; it comes back from wherever it is. */
  rest(): void {
    this.#restless.abort();
    this.#awayUntil = 0;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.rest();
    this.#stream?.close();
    await this.#done;
  }

  async #run(positioned: () => void): Promise<void> {
    const { random } = this.how.unrest;
    while (!this.#isStopped) {
      const { node, url } = random.pick(this.targets);
      try {
        this.#asked = this.#lastId === null ? null : { node, revision: this.#segment.reached, at: performance.now() };
        this.#stream = await openStream(this.how.transport, url, this.#query());
        this.history.count('streams');
        if (!this.#isStopped) await this.#follow(this.#stream, positioned);
      } catch (error) {
        if (String(error).includes('status 410')) this.#startOver('compacted');
        else if (/status 4/.test(String(error))) this.history.count(String(error).slice(0, 80));
      }
      this.#stream?.close();
      this.#stream = null;
      do await pause(AGAIN_MS);
      while (performance.now() < this.#awayUntil && !this.#isStopped);
    }
  }

  #query(): string {
    const from = this.#told.segments.length > 1 ? 'initial=true' : '';
    return [this.how.view.query, this.#lastId === null ? from : `cursor=${this.#lastId}`].filter(Boolean).join('&');
  }

  async #unrest(): Promise<void> {
    const { random, awayMs } = this.how.unrest;
    const { signal } = this.#restless;
    const between = ([least, most]: readonly [number, number]): number => random.int(least, most);
    while (!signal.aborted) {
      await pause(between(PRANK_MS), undefined, { signal }).catch(() => undefined);
      const stream = this.#stream;
      if (stream === null || signal.aborted) continue;
      const dice = random.next();
      if (dice >= SHARES.leaves && dice < SHARES.freezes) {
        await this.#freeze(stream, between(FROZEN_MS), signal);
        if (random.next() < 0.5) continue;
      }
      const isLong = dice >= SHARES.freezes;
      this.#awayUntil = performance.now() + between(isLong ? awayMs : SHORT_MS);
      this.history.count(isLong ? 'long absences' : 'cuts');
      stream.close();
    }
  }

  /** Takes nothing, at the socket where the transport has one to stop. */
  async #freeze(stream: Stream, ms: number, signal: AbortSignal): Promise<void> {
    this.history.count('freezes');
    stream.freeze?.();
    const frozen = pause(ms, undefined, { signal }).catch(() => undefined);
    this.#gate = frozen;
    await frozen;
    stream.thaw?.();
  }

  async #follow(stream: Stream, positioned: () => void): Promise<void> {
    const initial: number[] = [];
    for (;;) {
      await this.#gate;
      const event = await stream.next();
      if (event === null) return;
      if (event.type === 'end') return this.#end(event);
      if (event.type === 'initial') initial.push(digest(event));
      else if (event.id !== undefined) {
        this.#take(event, event.id, initial);
        positioned();
      }
    }
  }

  #take(event: StreamItem, id: string, initial: number[]): void {
    const segment = this.#segment;
    const revision = Number(event.data['revision']);
    // A bookmark of its own position decides nothing.
    if (this.#asked && (event.type === 'change' || revision > this.#asked.revision)) this.#decided('resumed');
    if (segment.base === null) {
      segment.base = revision;
      if (this.#told.segments.length > 1) segment.initial = initial;
    }
    if (event.type === 'change') {
      segment.revisions.push(revision);
      segment.digests.push(digest(event));
    }
    segment.isWhole = event.type === 'bookmark';
    segment.reached = revision;
    this.#lastId = id;
  }

  #end({ data }: StreamItem): void {
    const reason = String(data['reason']);
    this.history.count(`ended: ${reason}`);
    if (reason === 'compacted' || reason === 'epoch-changed') this.#startOver(reason);
  }

  #startOver(reason: string): void {
    // Before it had a position, it could not be told to leave it.
    if (this.#lastId === null) return;
    this.#asked ??= { node: -1, revision: this.#segment.reached, at: performance.now() };
    if (reason === 'compacted') this.#decided('compacted');
    else this.history.remarks.push({ promise: 'a watch stream can be resumed', text: `${this.name}: ${reason}` });
    this.#segment = new Segment();
    this.#told.segments.push(this.#segment);
    this.#lastId = null;
  }

  #decided(outcome: 'resumed' | 'compacted'): void {
    if (!this.#asked) return;
    const { node, revision, at: asked } = this.#asked;
    this.#asked = null;
    this.history.count(outcome);
    this.history.resumptions.push({ reader: this.name, node, revision, asked, at: performance.now(), outcome });
  }
}

function digest({ data }: StreamItem): number {
  const { thing, shadow, kind, version, patch, delta, clientToken, document } = data as unknown as Data;
  const { desired = {}, reported = {} } = document?.state ?? {};
  const about = { shadow: shadowId(thing, shadow), version, deleted: kind === 'deleted', token: clientToken ?? null };
  return digestOf({ ...about, patch, delta, desired, reported });
}
