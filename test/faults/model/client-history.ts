import type { Commit } from './commit.js';

/** What a program that uses the client library asks of it. The numbers of one kind and shadow rise from 1. */
export type CallKind = 'connect' | 'close' | 'report' | 'read' | 'desire' | 'increment' | 'converge' | 'delete';

/** An error as the library gave it. */
export interface CallError {
  /** Of another class than UmbraError: then the rest says nothing. */
  readonly isForeign: boolean;
  readonly code: string;
  readonly status: number | null;
  readonly outcome: string;
}

export interface CallBegin {
  readonly type: 'begin';
  readonly kind: CallKind;
  readonly shadow: string;
  readonly n: number;
  /** Milliseconds that were asked for. */
  readonly limitMs: number;
  /** Of the device object in its process, from 1; 0: an application. */
  readonly device: number;
  /** The service has to refuse it. */
  readonly isBad?: boolean;
}

export interface CallEnd {
  readonly type: 'end';
  readonly kind: CallKind;
  readonly shadow: string;
  readonly n: number;
  readonly ms: number;
  /** null: it has failed, or there is none. */
  readonly version: number | null;
  readonly error: CallError | null;
}

/** What such a program tells of itself. */
export type ClientEvent =
  | CallBegin
  | CallEnd
  | { readonly type: 'run'; readonly shadow: string; readonly device: number; readonly version: number }
  /** Unhandled rejections, warnings of the process, errors that the library has logged. */
  | { readonly type: 'trouble'; readonly text: string }
  /** All has been closed: what is left of it. */
  | { readonly type: 'left'; readonly leaks: readonly string[] };

export interface ClientCall extends CallBegin {
  /** Name of the process and which start of it. */
  readonly life: string;
  /** What waits is kept in a file when the device is closed, or its process killed. */
  readonly isKept: boolean;
  /** Milliseconds of the lab's monotonic clock. */
  readonly from: number;
  end: CallEnd | null;
  /** When its process was killed before it ended. */
  killedAt: number | null;
}

export class ClientHistory {
  readonly calls: ClientCall[] = [];
  readonly troubles: string[] = [];
  /** Handlers that got a delta older than one before. */
  readonly olderDeltas: string[] = [];
  runs = 0;
  /** By shadow, in order: what etcd itself has kept. */
  readonly commits = new Map<string, Commit[]>();
  readonly #open = new Map<string, ClientCall>();
  readonly #newest = new Map<string, number>();

  commit(commit: Commit): void {
    const known = this.commits.get(commit.shadow);
    if (known) known.push(commit);
    else this.commits.set(commit.shadow, [commit]);
  }

  /** The next number of a kind and shadow. */
  next(kind: CallKind, shadow: string): number {
    return this.calls.reduce((most, call) => (isOf(call, kind, shadow) ? Math.max(most, call.n) : most), 0) + 1;
  }

  begin(begin: CallBegin, { life, isKept }: Pick<ClientCall, 'life' | 'isKept'>): void {
    const call = { ...begin, life, isKept, from: performance.now(), end: null, killedAt: null };
    this.calls.push(call);
    this.#open.set(keyOf(begin), call);
  }

  end(end: CallEnd): void {
    const call = this.#open.get(keyOf(end));
    if (!call) return void this.troubles.push(`${keyOf(end)} has ended twice, or never begun`);
    call.end = end;
    this.#open.delete(keyOf(end));
  }

  /** A handler was called. Within the life of a device versions do not go back. */
  run(life: string, { shadow, device, version }: { shadow: string; device: number; version: number }): void {
    this.runs++;
    const key = `${life} ${device} ${shadow}`;
    const newest = this.#newest.get(key) ?? 0;
    if (version < newest) this.olderDeltas.push(`${key}: version ${version} after ${newest}`);
    this.#newest.set(key, Math.max(newest, version));
  }

  killed(life: string): void {
    for (const [key, call] of this.#open) {
      if (call.life !== life) continue;
      call.killedAt = performance.now();
      this.#open.delete(key);
    }
  }

  /** Calls that nothing has come of. */
  get open(): readonly ClientCall[] {
    return [...this.#open.values()];
  }
}

const isOf = (call: ClientCall, kind: CallKind, shadow: string): boolean =>
  call.kind === kind && call.shadow === shadow;

const keyOf = ({ kind, shadow, n }: Pick<CallBegin, 'kind' | 'shadow' | 'n'>): string => `${kind} ${n} of ${shadow}`;
