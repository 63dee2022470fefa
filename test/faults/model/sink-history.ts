import { bucketOf } from '../../../src/store/bucket.js';
import type { Violation } from '../validate/promises.js';
import type { Outcome } from './history.js';

export const SINKS = ['nats', 'redis', 'webhook'] as const;
export type SinkName = (typeof SINKS)[number];

/** Shards of a sink: docs/sinks.md. */
const SHARDS = 16;
export const TENANT = 'default';

/** One arrival at the other side. All times of this history are epoch milliseconds of the one machine. */
export interface Delivery {
  readonly shadow: string;
  readonly step: number;
  readonly revision: number;
  /** By which the other side knows duplicates. */
  readonly id: string;
  readonly token: string | undefined;
  /** When the server stored it, by its own clock. */
  readonly at: number;
}

export interface SinkWrite {
  readonly shadow: string;
  readonly token: string;
  outcome: Outcome;
  /** Of an acknowledged one. */
  step: number | null;
  revision: number | null;
}

/** A fault, from its beginning until all is as before. */
export interface Disturbance {
  readonly what: string;
  /** Sinks that cannot deliver meanwhile, whoever owns their shards. */
  readonly sinks: readonly SinkName[];
  readonly from: number;
  to: number;
}

/** The owner of some shards is lost, at one moment. */
export interface Loss {
  readonly kind: string;
  readonly at: number;
  /** As `sink/shard`. */
  readonly places: readonly string[];
  /** The instance that had them. */
  readonly instance: string;
}

/** A claim as it was first seen. */
export interface SeenClaim {
  readonly instance: string;
  readonly revision: number;
  readonly at: number;
}

/** The shard of a shadow, as the claims name it. */
export const shardOf = (shadow: string): string =>
  (bucketOf(TENANT, shadow.split('/')[0] as string) % SHARDS).toString(16);

/** All that a run with sinks has noted. */
export class SinkHistory {
  readonly deliveries = new Map<SinkName, Delivery[]>();
  readonly writes: SinkWrite[] = [];
  readonly disturbances: Disturbance[] = [];
  readonly losses: Loss[] = [];
  /** By `sink/shard`, the oldest first. */
  readonly claims = new Map<string, SeenClaim[]>();
  readonly remarks: Violation[] = [];
  /** Documents that were read from the cache during the run. */
  cacheReads = 0;

  constructor(sinks: readonly SinkName[]) {
    for (const sink of sinks) this.deliveries.set(sink, []);
  }

  get sinks(): readonly SinkName[] {
    return [...this.deliveries.keys()];
  }

  remark(promise: Violation['promise'], text: string): void {
    this.remarks.push({ promise, text });
  }

  /** @returns the fault under way; who began it ends it by `to` */
  disturb(what: string, sinks: readonly SinkName[]): Disturbance {
    const disturbance = { what, sinks, from: Date.now(), to: Infinity };
    this.disturbances.push(disturbance);
    return disturbance;
  }
}
