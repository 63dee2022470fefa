import type { BankHistory } from './bank.js';
import type { StreamView } from './stream-view.js';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [member: string]: Json };
export type Section = { readonly [member: string]: Json };

/** What a shadow holds, as it was told. */
export interface Told {
  readonly version: number;
  readonly desired: Section;
  readonly reported: Section;
}

/** `maybe`: no answer, or one that says that the outcome is not known. */
export type Outcome = 'acked' | 'rejected' | 'maybe';

/**
 * One update or deletion. Its id is its clientToken, and for an update also the value of one member that only its writer
 * writes.
 */
export interface UpdateOp {
  readonly id: string;
  readonly kind: 'update' | 'delete';
  readonly shadow: string;
  readonly node: number;
  readonly door: 'mqtt' | 'http';
  readonly section: 'desired' | 'reported';
  readonly patch: Section;
  /** Milliseconds of the lab's monotonic clock; `to` is Infinity while nothing has come back. */
  readonly from: number;
  to: number;
  outcome: Outcome;
  /** What an acknowledgement or an `accepted` said, as a step of the shadow. */
  step: number | null;
  /** HTTP status or MQTT code of a refusal, or why nothing is known. */
  reason: string;
}

export interface ReadOp {
  readonly shadow: string;
  readonly node: number;
  readonly door: 'mqtt' | 'http';
  readonly from: number;
  readonly to: number;
  /** null: the shadow did not exist. */
  readonly told: Told | null;
}

/** What one call, over all its pages, listed. */
export interface ListOp {
  readonly what: string;
  readonly node: number;
  readonly from: number;
  readonly to: number;
  /** Shadows of the lab that it had to list if they existed. */
  readonly covers: readonly string[];
  readonly listed: ReadonlySet<string>;
}

/** A message about a commit, as one MQTT connection got it. */
export interface Message {
  /** Distinguishes connections: the order is promised on each alone. */
  readonly connection: string;
  /** It was sent the current delta when it subscribed, whatever the node had published by then (ADR 0008). */
  readonly hasCurrentDelta: boolean;
  readonly node: number;
  readonly kind: 'delta' | 'documents' | 'accepted' | 'deleted';
  readonly shadow: string;
  readonly version: number;
  readonly body: Record<string, unknown>;
  readonly at: number;
}

/** A change as one watch stream told it. `segment` counts how often the reader had to start over with the present state. */
export interface Change extends Told {
  readonly stream: string;
  readonly segment: number;
  readonly kind: 'initial' | 'change';
  /** The shadow is gone; `version` is that of the document that was deleted. */
  readonly deleted: boolean;
  readonly shadow: string;
  readonly revision: number;
  readonly id: string | null;
  readonly patch: { readonly desired?: Section; readonly reported?: Section } | null;
  readonly delta: Section | null;
  readonly at: number;
}

export interface ReadySample {
  readonly node: number;
  readonly at: number;
  /** null: nobody answered. */
  readonly ready: boolean | null;
}

export interface MemorySample {
  readonly node: number;
  readonly pid: number;
  readonly at: number;
  readonly bytes: number;
}

/** A time in which something was broken on purpose, or a note about it. */
export interface FaultSpan {
  readonly fault: string;
  readonly from: number;
  readonly to: number;
}

export interface Ending {
  readonly stream: string;
  readonly at: number;
  readonly reason: string;
}

/** Everything that was seen. Only appended to while traffic runs. */
export class History {
  /** What a stream was asked for, by its name; one that is not here was asked for everything. */
  readonly views = new Map<string, StreamView>();
  /** Of transactions; null: there are none. */
  bank: BankHistory | null = null;
  readonly updates: UpdateOp[] = [];
  readonly reads: ReadOp[] = [];
  readonly lists: ListOp[] = [];
  readonly messages: Message[] = [];
  readonly changes: Change[] = [];
  readonly ready: ReadySample[] = [];
  readonly memory: MemorySample[] = [];
  readonly faults: FaultSpan[] = [];
  /** Streams that were told to start over, or ended with a reason. */
  readonly endings: Ending[] = [];
  /** Per shadow, what every node answered when all was healed. */
  readonly final = new Map<string, (Told | null)[]>();
  /** Per shadow, milliseconds from the end of traffic until reported was desired; null: not within the bound. */
  readonly converged = new Map<string, number | null>();
  /** What the run itself found, such as a process that ended. */
  readonly remarks: { readonly promise: string; readonly text: string }[] = [];

  now(): number {
    return performance.now();
  }
}

/**
 * Everything that was committed to a shadow, counted. A deletion is told with the version of what it deleted, but uses up
 * the one after it: the next document has the version after that (PROTOCOL 2.5).
 */
export function stepOf({ version, deleted }: { readonly version: number; readonly deleted: boolean }): number {
  return deleted ? version + 1 : version;
}

/** The name under which the lab knows a shadow. */
export function shadowId(thing: string, name: string | null): string {
  return name === null ? thing : `${thing}/${name}`;
}
