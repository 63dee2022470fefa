import { setTimeout as pause } from 'node:timers/promises';
import { shadowId, stepOf, type Change, type History, type Section } from '../model/history.js';
import { EVERYTHING, type StreamView } from '../model/stream-view.js';
import type { Random } from '../plans/random.js';
import { toldOf, type Target } from './rest-caller.js';
import { openStream, type Stream, type StreamItem, type Transport } from './stream.js';

interface Data {
  readonly thing: string;
  readonly shadow: string | null;
  readonly kind: 'updated' | 'deleted';
  readonly version: number;
  readonly revision: number;
  readonly patch: Change['patch'];
  readonly delta: Section | null;
  readonly clientToken?: string;
  readonly document: Parameters<typeof toldOf>[0] | null;
}

export interface WatcherOptions {
  readonly transport?: Transport;
  readonly view?: StreamView;
  /** Makes it leave, or stop reading for a while, again and again; absent: it stays as long as it can. */
  readonly unrest?: Random;
}

/** Milliseconds between two of its pranks, and for which it stops reading. */
const PRANK_MS = { least: 500, most: 4_000 };
const FREEZE_MS = 1_500;

/** One reader of changes. It resumes from the last id that it saw, on whichever node answers. */
export class Watcher {
  /** Sees changes of things with this prefix. */
  readonly #last = new Map<string, { readonly step: number; readonly deleted: boolean }>();
  #segment = 0;
  #lastId: string | null = null;
  #stopped = false;
  #reader: Stream | null = null;
  #prankAt = Infinity;
  #done: Promise<void> | null = null;

  constructor(
    readonly name: string,
    private readonly history: History,
    private readonly prefix: string,
    private readonly targets: readonly Target[],
    private readonly how: WatcherOptions = {},
  ) {
    if (how.view) history.views.set(name, how.view);
  }

  get view(): StreamView {
    return this.how.view ?? EVERYTHING;
  }

  /** Ends when the stream has its first position: from here on nothing may be missed. */
  async start(): Promise<void> {
    await new Promise<void>((resolve) => (this.#done = this.#run(resolve)));
  }

  /** Whether it was told what all nodes read: this version or a later one, or that there is no shadow. */
  knows(shadow: string, version: number | null): boolean {
    const last = this.#last.get(shadow);
    if (version === null) return last === undefined || last.deleted;
    return last !== undefined && last.step >= version;
  }

  /** The highest revision that a change or a bookmark named. */
  position = 0;

  /** Where it would resume. */
  get lastId(): string | null {
    return this.#lastId;
  }

  /** Whether it was ever told to load the present state anew. */
  get startedOver(): boolean {
    return this.#segment > 0;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#reader?.close();
    await this.#done;
  }

  async #run(positioned: () => void): Promise<void> {
    for (let turn = 0; !this.#stopped; turn++) {
      const { url } = this.targets[turn % this.targets.length] as Target;
      try {
        this.#reader = await openStream(this.how.transport ?? 'sse', url, this.#query());
        // It may have been stopped while the stream opened, which nobody else would close.
        if (!this.#stopped) await this.#follow(this.#reader, positioned);
      } catch (error) {
        if (!this.#stopped && String(error).includes('status 410')) this.#startOver('cursor gone (410)');
      }
      this.#reader?.close();
      if (!this.#stopped) await pause(100);
    }
  }

  #query(): string {
    const from = this.#segment > 0 ? 'initial=true' : '';
    return [this.view.query, this.#lastId === null ? from : `cursor=${this.#lastId}`].filter(Boolean).join('&');
  }

  #planPrank(): void {
    const { unrest } = this.how;
    if (unrest) this.#prankAt = performance.now() + unrest.int(PRANK_MS.least, PRANK_MS.most);
  }

  /** Leaves without a word, or takes nothing for a while. */
  async #prank(reader: Stream): Promise<void> {
    if (performance.now() < this.#prankAt || this.#stopped) return;
    this.#planPrank();
    if ((this.how.unrest?.next() ?? 1) < 0.5) reader.close();
    else await pause(FREEZE_MS);
  }

  async #follow(reader: Stream, positioned: () => void): Promise<void> {
    this.#planPrank();
    for (let event = await reader.next(); event !== null; event = await reader.next()) {
      if (event.id !== undefined) {
        this.#lastId = event.id;
        this.position = Math.max(this.position, Number(event.data['revision']));
        positioned();
      }
      if (event.type === 'end') return this.#end(event);
      else if (event.type === 'change' || event.type === 'initial') this.#change(event.type, event);
      await this.#prank(reader);
    }
  }

  #end({ data }: StreamItem): void {
    const reason = String(data['reason']);
    this.history.endings.push({ stream: this.name, at: this.history.now(), reason });
    if (reason === 'compacted' || reason === 'epoch-changed') this.#startOver(reason);
  }

  #startOver(reason: string): void {
    this.history.endings.push({ stream: this.name, at: this.history.now(), reason: `starts over: ${reason}` });
    this.#segment++;
    this.#last.clear();
    this.#lastId = null;
  }

  #change(kind: 'change' | 'initial', event: StreamItem): void {
    const data = event.data as unknown as Data;
    if (!data.thing.startsWith(this.prefix)) return;
    const shadow = shadowId(data.thing, data.shadow);
    const deleted = data.kind === 'deleted';
    this.#last.set(shadow, { step: stepOf({ version: data.version, deleted }), deleted });
    const told = data.document ? toldOf(data.document) : { version: data.version, desired: {}, reported: {} };
    this.history.changes.push({
      ...told,
      stream: this.name,
      segment: this.#segment,
      kind,
      deleted,
      shadow,
      revision: data.revision,
      id: data.clientToken ?? null,
      patch: data.patch,
      delta: data.delta,
      at: this.history.now(),
    });
  }
}
