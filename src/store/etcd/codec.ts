import {
  isTombstone,
  type ChangeRecord,
  type ShadowDocument,
  type ShadowState,
} from '../../document/shadow-document.js';

/** Ids of the last writes of a shadow that are kept in it, newest first, to settle writes in doubt (ETCD 3.3). */
export const RECENT_WRITES = 8;

/** A record as it is kept in etcd: readable JSON, one key per shadow. */
export interface EtcdRecord {
  readonly state: ShadowState;
  readonly change: ChangeRecord;
  /** Ids of the last writes, newest first; at most RECENT_WRITES. */
  readonly writes: readonly string[];
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

/** Bytes of a record; `JSON.parse` of them, then `decodeRecord`, gives it back. */
export function encodeRecord(record: EtcdRecord): Buffer {
  const { state, change, writes } = record;
  const body = isTombstone(state)
    ? { version: state.version, deletedAt: state.deletedAt }
    : { version: state.version, desired: state.desired, reported: state.reported, metadata: state.metadata };
  return Buffer.from(JSON.stringify({ ...body, change, writes }));
}

/**
 * The record in a value of etcd.
 * @throws Error with the reason when the value is not one of ours; the caller names the key
 */
export function decodeRecord(value: Uint8Array): EtcdRecord {
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString();
  const wire = JSON.parse(text) as Partial<Wire> | null;
  if (!wire || !Number.isSafeInteger(wire.version) || !wire.change?.kind || !Array.isArray(wire.writes)) {
    throw new Error('not a shadow record: version, change and writes are required');
  }
  const { version, change, writes } = wire as Wire;
  if (wire.deletedAt !== undefined)
    return { state: { deleted: true, version, deletedAt: wire.deletedAt }, change, writes };
  const state: ShadowDocument = {
    version,
    ...(wire.desired === undefined ? {} : { desired: wire.desired }),
    ...(wire.reported === undefined ? {} : { reported: wire.reported }),
    metadata: wire.metadata ?? {},
  };
  return { state, change, writes };
}
