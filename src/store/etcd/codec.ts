import {
  isTombstone,
  type ChangeRecord,
  type ShadowDocument,
  type ShadowState,
} from '../../document/shadow-document.js';

/** Ids of last writes that a record keeps, newest first, to settle writes in doubt (ETCD 3.3). */
export const RECENT_WRITES = 8;

/** A record as etcd stores it: readable JSON, one key per shadow. */
export interface EtcdRecord {
  readonly state: ShadowState;
  readonly change: ChangeRecord;
  /** Ids of the last writes, newest first; at most RECENT_WRITES. */
  readonly writes: readonly string[];
  /** Bytes of the value. */
  readonly bytes: number;
}

interface Wire {
  version: number;
  deletedAt?: number;
  desired?: ShadowDocument['desired'];
  reported?: ShadowDocument['reported'];
  metadata?: ShadowDocument['metadata'];
  change: ChangeRecord;
  writes: string[];
}

/** The value of a record in etcd; decodeRecord reverses it. No errors. */
export function encodeRecord(record: Omit<EtcdRecord, 'bytes'>): Buffer {
  const { state, change, writes } = record;
  return Buffer.from(JSON.stringify(wireOf(state, change, writes)));
}

/** Names every member: with a spread of the state it took half as long again. JSON leaves out undefined members. */
function wireOf(state: ShadowState, change: ChangeRecord, writes: readonly string[]): object {
  if (isTombstone(state)) return { version: state.version, deletedAt: state.deletedAt, change, writes };
  const { version, desired, reported, metadata } = state;
  return { version, desired, reported, metadata, change, writes };
}

/**
 * The record in a value of etcd.
 * @throws Error with the reason when the value is not a shadow record; the caller names the key
 */
export function decodeRecord(value: Uint8Array): EtcdRecord {
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString();
  const wire = JSON.parse(text) as Partial<Wire> | null;
  if (!wire || !Number.isSafeInteger(wire.version) || !wire.change?.kind || !Array.isArray(wire.writes)) {
    throw new Error('not a shadow record: version, change and writes are required');
  }
  const { version, change, writes } = wire as Wire;
  const bytes = value.byteLength;
  if (wire.deletedAt !== undefined) {
    return { state: { deleted: true, version, deletedAt: wire.deletedAt }, change, writes, bytes };
  }
  const state: ShadowDocument = {
    version,
    ...(wire.desired === undefined ? {} : { desired: wire.desired }),
    ...(wire.reported === undefined ? {} : { reported: wire.reported }),
    metadata: wire.metadata ?? {},
  };
  return { state, change, writes, bytes };
}
