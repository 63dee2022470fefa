import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../plans/random.js';

/** Milliseconds for an answer: one that stages or promotes waits 2 s for the nodes. */
const ANSWER_MS = 8_000;
/** Milliseconds between two turns of an operator, at most. */
const PAUSE_MS = 100;

/** What a node says of the runtime configuration. */
export interface RuntimeView {
  readonly live: RuntimeVersion | null;
  readonly staged: RuntimeVersion | null;
  readonly nodes: readonly { readonly node: string; readonly inForce: number | null }[];
}
interface RuntimeVersion {
  readonly version: number;
  readonly document: { readonly sampling?: { readonly slowMs: number } } | null;
}

/** A document that was staged, and then promoted by the revision that its operator was told. */
export interface Turn {
  /** By which the document is known; no other one has it. */
  readonly mark: number;
  /** Milliseconds of the lab: when it was staged, and when its promotion was answered. */
  readonly from: number;
  readonly to: number;
  /** Mark of what the answer to the promotion calls live; null: it names none. */
  readonly live: number | null;
}

export interface RuntimeOperatorParts {
  readonly urls: readonly string[];
  readonly key: string;
  readonly now: () => number;
  readonly random: Random;
}

/** Administrators who stage documents in each other's way, through any node, and promote what they have staged. */
export class RuntimeOperators {
  /** Promotions that were acknowledged. */
  readonly turns: Turn[] = [];
  #refused = 0;
  #mark = 0;
  #isStopped = false;
  #done: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly count: number,
    private readonly parts: RuntimeOperatorParts,
  ) {}

  /** Answers by which an operator was told to begin anew. */
  get refused(): number {
    return this.#refused;
  }

  start(): void {
    const { random } = this.parts;
    const run = async (own: Random): Promise<void> => {
      for (; !this.#isStopped; await pause(PAUSE_MS * own.next())) await this.#turn(own);
    };
    this.#done = Promise.all(Array.from({ length: this.count }, (_, i) => run(random.fork(`operator ${i}`))));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  /** null: there was no answer, or another one than 200. */
  async ask(url: string, method: string, path: string, more: RequestInit = {}): Promise<Answer | null> {
    const headers = { authorization: `Bearer ${this.parts.key}`, ...(more.headers as Record<string, string>) };
    const signal = AbortSignal.timeout(ANSWER_MS);
    try {
      const answer = await fetch(`${url}/v1/runtime${path}`, { ...more, method, headers, signal });
      if (answer.status === 412) this.#refused++;
      const view = (await answer.json()) as RuntimeView;
      return answer.ok ? { view, tag: answer.headers.get('etag') } : null;
    } catch {
      return null;
    }
  }

  async #turn(random: Random): Promise<void> {
    const url = random.pick(this.parts.urls);
    const before = await this.ask(url, 'GET', '');
    if (before === null) return;
    const mark = ++this.#mark;
    const sampling = { rules: [{ rate: 1 }], failed: true, slowMs: mark, maxPerSecond: 100 };
    const from = this.parts.now();
    const ifMatch = (tag: string | null): Record<string, string> => (tag === null ? {} : { 'if-match': tag });
    const body = JSON.stringify({ sampling });
    const staged = await this.ask(url, 'PUT', '/staged', { headers: ifMatch(before.tag), body });
    if (!staged?.tag) return;
    const promoted = await this.ask(url, 'POST', '/promote', { headers: ifMatch(staged.tag) });
    if (promoted === null) return;
    const live = promoted.view.live?.document?.sampling?.slowMs ?? null;
    this.turns.push({ mark, from, to: this.parts.now(), live });
  }
}

interface Answer {
  readonly view: RuntimeView;
  readonly tag: string | null;
}
