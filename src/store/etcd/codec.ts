import { isObject, own } from '../../document/json.js';
import { parseTrace } from '../../telemetry/trace-context.js';
import {
  isTombstone,
  type ChangeRecord,
  type ChangeTrace,
  type Json,
  type JsonObject,
  type ShadowDocument,
  type ShadowState,
  type StatePatch,
} from '../../document/shadow-document.js';
import {
  packedText,
  patchTextOf,
  StoredDocument,
  StoredUpdate,
  unpack,
  type PackedDocument,
} from '../../document/stored-document.js';
import type { ShadowKey } from '../shadow-store.js';

/** Ids of last writes that a record keeps, newest first, to settle writes in doubt (ETCD 3.3). */
export const RECENT_WRITES = 8;

/** Forms of a record that this version reads; a node writes one of them (ADR 0019). */
export const RECORD_FORMATS = [1, 2] as const;
export type RecordFormat = (typeof RECORD_FORMATS)[number];
/** The one that nodes write unless UMBRA_RECORD_FORMAT says otherwise. */
export const LATEST_FORMAT = 2;

/** A record as etcd stores it: readable JSON, one key per shadow. */
export interface EtcdRecord {
  readonly state: ShadowState;
  readonly change: ChangeRecord;
  /** Ids of the last writes, newest first, parted by commas; at most RECENT_WRITES. One text: few ever want one of them. */
  readonly writes: string;
  /** The value as text, as it is written. */
  readonly text: string;
  /** Bytes of the value. */
  readonly bytes: number;
  /** The shadow, if whoever made the record has its names at hand. */
  readonly key?: ShadowKey;
}

/** The parts of a record that its value is made of. */
export type RecordParts = Pick<EtcdRecord, 'state' | 'change' | 'writes'>;

/** What every value of format 2 begins with; the ids of its writes follow, parted by commas. */
const BEGINNING = '{"f":2,"w":"';
const BEGINNING_BYTES = Buffer.from(BEGINNING);
/** Milliseconds before and after the epoch that a date of JavaScript can be. */
const MAX_TIME_MS = 8.64e15;
/** Ids of writes that a record may carry on: they are written as they are, and others would make its value unreadable. */
const PLAIN = /^[^"\\\p{Cc}\p{Cs}]*$/u;
const BAD_IDS = 'not a shadow record: an id of its writes is none';
const COMMA = 0x2c;
const QUOTE = 0x22;

/**
 * Whether a value is a record of format 2, from its first bytes alone: it may still be damaged. No errors.
 * @param start @param end the value within `bytes`, all of them unless told
 */
export function isCurrentFormat(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
  if (end - start <= BEGINNING_BYTES.length) return false;
  for (let i = 0; i < BEGINNING_BYTES.length; i++) if (bytes[start + i] !== BEGINNING_BYTES[i]) return false;
  return true;
}

/** The id of the write that made a value of format 2; null for a value of another format, or without ids. No errors. */
export function writeIdOf(value: Buffer): string | null {
  const end = endOfWriteId(value);
  return end <= BEGINNING_BYTES.length ? null : value.toString('latin1', BEGINNING_BYTES.length, end);
}

/** Whether a value of format 2, as text, was made by the write of this id. No errors. */
export function isTextOfWrite(text: string, id: string): boolean {
  const behind = text[BEGINNING.length + id.length];
  return text.startsWith(BEGINNING) && text.startsWith(id, BEGINNING.length) && (behind === ',' || behind === '"');
}

/** Whether `value`, as etcd has it, is the value that was written as `text`: its id tells, or all of it. No errors. */
export function isValueOf(text: string, value: Buffer): boolean {
  const id = writeIdOf(value);
  return id === null ? value.toString() === text : isTextOfWrite(text, id);
}

/** The ids of a record that the write of this id makes from one with the ids `before`. No errors. */
export function withWrite(id: string, before: string): string {
  if (before === '') return id;
  let end = -1;
  for (let kept = 1; kept < RECENT_WRITES; kept++) {
    end = before.indexOf(',', end + 1);
    if (end < 0) return `${id},${before}`;
  }
  return `${id},${before.slice(0, end)}`;
}

/** The ids that a record names, newest first. No errors. */
export function idsOf({ writes }: Pick<EtcdRecord, 'writes'>): string[] {
  return writes === '' ? [] : writes.split(',');
}

/** Place behind the newest id; 0 for another format. */
function endOfWriteId(value: Uint8Array): number {
  if (!isCurrentFormat(value)) return 0;
  let end = BEGINNING_BYTES.length;
  while (end < value.length && value[end] !== COMMA && value[end] !== QUOTE) end++;
  return end;
}

/** The value of a record in etcd; decodeRecord reverses it. No errors. */
export function encodeRecord(record: RecordParts, format: RecordFormat = 2): Buffer {
  return Buffer.from(recordText(record, format));
}

/** The value of a record as text. No errors. */
export function recordText({ state, change, writes }: RecordParts, format: RecordFormat = 2): string {
  if (format === 1) return JSON.stringify(firstFormat(state, change, idsOf({ writes })));
  const head = `${BEGINNING}${writes}","v":${state.version}`;
  const by = `${traceText(change.trace)},"by":${JSON.stringify(change.principal)},"at":${change.at}}`;
  const token = change.clientToken === undefined ? '' : `,"ct":${JSON.stringify(change.clientToken)}`;
  if (isTombstone(state)) return `${head},"x":${state.deletedAt}${token}${by}`;
  const patch = change.patch === undefined ? '' : `,"p":${patchTextOf(change)}`;
  return head + packedText(StoredDocument.of(state)) + patch + token + by;
}

/** Versions that do not know these members leave them out. */
function traceText(trace: ChangeTrace | undefined): string {
  if (trace === undefined) return '';
  const state = trace.tracestate === '' ? '' : `,"ts":${JSON.stringify(trace.tracestate)}`;
  return `,"tp":${JSON.stringify(trace.traceparent)}${state}`;
}

/** Undefined for what is no trace: it is not worth a record. */
function readTrace(traceparent: unknown, tracestate: unknown): ChangeTrace | undefined {
  if (typeof traceparent !== 'string') return undefined;
  const found = parseTrace({ traceparent, tracestate: typeof tracestate === 'string' ? tracestate : '' });
  return found === null ? undefined : { traceparent, tracestate: found.state };
}

/** JSON leaves out undefined members. */
function firstFormat(state: ShadowState, change: ChangeRecord, writes: readonly string[]): object {
  const { kind, patch, clientToken, principal, at, trace } = change;
  const last = { kind, patch, clientToken, principal, at, trace };
  if (isTombstone(state)) return { version: state.version, deletedAt: state.deletedAt, change: last, writes };
  const { version, desired, reported, metadata } = state;
  return { version, desired, reported, metadata, change: last, writes };
}

/**
 * The record in a value of etcd, of any format.
 * @throws Error with the reason when the value is not a shadow record; the caller names the key
 */
export function decodeRecord(value: Uint8Array): EtcdRecord {
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString();
  return decodeText(text, value.byteLength);
}

/**
 * The record in the text of a value of etcd, of any format.
 * @param bytes of the value
 * @throws Error with the reason when the value is not a shadow record; the caller names the key
 */
export function decodeText(text: string, bytes: number): EtcdRecord {
  const wire = JSON.parse(text) as Json;
  if (!isObject(wire)) throw new Error('not a shadow record: no JSON object');
  const format = own(wire, 'f');
  if (format === undefined) return { ...decodeFirst(wire as unknown as Partial<FirstFormat>), text, bytes };
  if (format === 2) return { ...decodeSecond(wire as unknown as Partial<SecondFormat>), text, bytes };
  throw new Error(`not a record of a format that this version knows: ${JSON.stringify(format)}`);
}

interface FirstFormat {
  version: number;
  deletedAt?: number;
  desired?: JsonObject;
  reported?: JsonObject;
  metadata?: ShadowDocument['metadata'];
  change: ChangeRecord;
  writes: string[];
}

function decodeFirst(wire: Partial<FirstFormat>): RecordParts {
  if (!Number.isSafeInteger(wire.version) || !wire.change?.kind || !Array.isArray(wire.writes)) {
    throw new Error('not a shadow record: version, change and writes are required');
  }
  const { version, desired, reported, metadata = {}, deletedAt, writes: named } = wire as FirstFormat;
  const { kind, patch, clientToken, principal, at, trace: given } = wire.change;
  if (!isTime(at)) throw new Error('not a shadow record: the time of its change is none');
  if (!named.every((id) => typeof id === 'string' && !id.includes(',') && PLAIN.test(id))) throw new Error(BAD_IDS);
  const writes = named.join(',');
  const trace = given && readTrace(given.traceparent, given.tracestate);
  const change =
    kind === 'update'
      ? new StoredUpdate(patch, clientToken, principal, at, null, trace)
      : { ...wire.change, ...(given && { trace }) };
  if (deletedAt !== undefined) return { state: { deleted: true, version, deletedAt }, change, writes };
  const state = StoredDocument.of({ version, ...(desired && { desired }), ...(reported && { reported }), metadata });
  return { state, change, writes };
}

/** Whether a value is epoch milliseconds of a date: only those can be written as one (`toISOString` throws for others). */
function isTime(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= MAX_TIME_MS;
}

/** docs/etcd.md has the meaning of each name. */
interface SecondFormat extends PackedDocument {
  f: 2;
  w: string;
  v: number;
  x?: number;
  p?: StatePatch;
  ct?: string;
  tp?: string;
  ts?: string;
  by: string;
  at: number;
}

function decodeSecond(wire: Partial<SecondFormat>): RecordParts {
  const { w, v: version, x: deletedAt, p, ct, tp, ts, by, at } = wire;
  if (!Number.isSafeInteger(version) || typeof w !== 'string' || typeof by !== 'string' || !isTime(at)) {
    throw new Error('not a shadow record: w, v, by and at are required');
  }
  if (!PLAIN.test(w)) throw new Error(BAD_IDS);
  const trace = tp === undefined ? undefined : readTrace(tp, ts);
  if (deletedAt !== undefined) {
    const more = { ...(ct !== undefined && { clientToken: ct }), ...(trace && { trace }) };
    const change: ChangeRecord = { kind: 'delete', ...more, principal: by, at };
    return { state: { deleted: true, version: version!, deletedAt }, change, writes: w };
  }
  return { state: unpack(version!, wire), change: new StoredUpdate(p, ct, by, at, null, trace), writes: w };
}
