import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { matchMessage } from './match-message.js';

export { matchMessage } from './match-message.js';

/** The protocol's vectors (test/cases/vectors.json, format in PROTOCOL 6.1), run over any transport. */

export type VectorOp = 'update' | 'get' | 'delete';

export interface VectorStep {
  readonly op: VectorOp;
  /** Epoch seconds of the service's clock. */
  readonly now: number;
  /** Absent: classic. */
  readonly shadow?: string;
  readonly payload?: unknown;
  readonly payloadRaw?: string;
  readonly payloadBase64?: string;
  readonly expect: Partial<Record<Channel, unknown>>;
}

export interface Vector {
  readonly name: string;
  readonly rule: string;
  readonly requiresClock?: boolean;
  readonly steps: readonly VectorStep[];
}

const CHANNELS = ['accepted', 'rejected', 'delta', 'documents'] as const;
type Channel = (typeof CHANNELS)[number];

/**
 * What one request brought. For delta and documents, null means that nothing was published and undefined that this
 * driver cannot see it. Exactly one of accepted and rejected is set.
 */
export interface Outcome {
  readonly accepted?: unknown;
  readonly rejected?: unknown;
  readonly delta?: unknown;
  readonly documents?: unknown;
}

export interface VectorDriver {
  /** Sets the clock of the service, in epoch seconds. Without it any integer passes for a timestamp. */
  setNow?(seconds: number): void | Promise<void>;
  /** @param shadow null is the classic one */
  request(op: VectorOp, thing: string, shadow: string | null, payload: Buffer): Promise<Outcome>;
}

export function loadVectors(): Vector[] {
  return JSON.parse(readFileSync(new URL('../cases/vectors.json', import.meta.url), 'utf8')) as Vector[];
}

/** Whether a driver without a clock has to leave the vector out. */
export function canRun(vector: Vector, driver: VectorDriver): boolean {
  return driver.setNow !== undefined || vector.requiresClock !== true;
}

/**
 * Runs the steps in order on a thing that never existed and returns every mismatch; none means passed. It stops at the
 * first step that fails: the later ones start from another state than they expect.
 */
export async function runVector(vector: Vector, driver: VectorDriver): Promise<string[]> {
  if (!canRun(vector, driver)) throw new Error(`${vector.name} needs a driver that sets the clock`);
  const thing = `vector-${randomUUID()}`;
  for (const [index, step] of vector.steps.entries()) {
    await driver.setNow?.(step.now);
    const outcome = await driver.request(step.op, thing, step.shadow ?? null, payloadOf(step));
    const mismatches = compare(step, outcome, driver.setNow === undefined);
    if (mismatches.length > 0) return mismatches.map((text) => `step ${index + 1} (${step.op}): ${text}`);
  }
  return [];
}

function payloadOf(step: VectorStep): Buffer {
  if (step.payloadBase64 !== undefined) return Buffer.from(step.payloadBase64, 'base64');
  if (step.payloadRaw !== undefined) return Buffer.from(step.payloadRaw);
  return step.payload === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(step.payload));
}

function compare(step: VectorStep, outcome: Outcome, anyTimestamp: boolean): string[] {
  const mismatches: string[] = [];
  if ((outcome.accepted === undefined) === (outcome.rejected === undefined)) {
    mismatches.push(`exactly one answer is due, got ${JSON.stringify(outcome)}`);
  }
  for (const channel of CHANNELS) {
    if (!Object.hasOwn(step.expect, channel)) continue;
    const mismatch = compareOne(channel, step.expect[channel], outcome, anyTimestamp);
    if (mismatch !== null) mismatches.push(mismatch);
  }
  return mismatches;
}

function compareOne(channel: Channel, expected: unknown, outcome: Outcome, anyTimestamp: boolean): string | null {
  const actual = outcome[channel];
  if (channel === 'accepted' || channel === 'rejected') {
    if (actual === undefined) return `${channel} is due, got ${JSON.stringify(outcome)}`;
  } else {
    if (actual === undefined) return null;
    if (expected === null) return actual === null ? null : `${channel} must not be sent, got ${JSON.stringify(actual)}`;
    if (actual === null) return `${channel} is due, nothing was sent`;
  }
  const mismatch = matchMessage(expected, actual, { anyTimestamp });
  return mismatch === null ? null : `${channel}${mismatch}`;
}
