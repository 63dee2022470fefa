import { ProtoReader } from '../client/protobuf/proto-reader.js';
import { WatchEvent } from './watch-event.js';

/** One message of a watch stream (etcdserverpb.WatchResponse). */
export interface WatchResponse {
  /** Id of the cluster, in decimals. */
  readonly cluster: string;
  /** Revision of the member as it sent the message. */
  readonly revision: number;
  /** -1 in answers to progress requests. */
  readonly watchId: number;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: number;
  readonly cancelReason: string;
  /** Whether the next message continues this one. */
  readonly fragment: boolean;
  readonly events: readonly WatchEvent[];
}

/** Tags: field number times 8, and 2 for what has a length. The numbers are frozen since etcd 3.0. */
const TAG = {
  header: 0x0a,
  watchId: 0x10,
  created: 0x18,
  canceled: 0x20,
  compactRevision: 0x28,
  cancelReason: 0x32,
  fragment: 0x38,
  events: 0x5a,
} as const;
const HEADER = { cluster: 0x08, revision: 0x18 } as const;
const EVENT = { type: 0x08, kv: 0x12 } as const;
const KEY_VALUE = { key: 0x0a, revision: 0x18, value: 0x2a } as const;

type Fields = { -readonly [Name in keyof WatchResponse]: WatchResponse[Name] } & { events: WatchEvent[] };

/**
 * Decodes one message in place: its events refer to `bytes`.
 * @throws BadMessage when it is cut off, or no protobuf
 */
export function decodeWatchResponse(bytes: Buffer): WatchResponse {
  const reader = new ProtoReader().read(bytes);
  const fields: Fields = {
    cluster: '0',
    revision: 0,
    watchId: 0,
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: '',
    fragment: false,
    events: [],
  };
  while (reader.more) readField(reader, fields, bytes);
  return fields;
}

function readField(reader: ProtoReader, fields: Fields, bytes: Buffer): void {
  const start = reader.at;
  const tag = reader.tag();
  if (tag === TAG.events) fields.events.push(readEvent(reader, bytes, start));
  else if (tag === TAG.header) readHeader(reader, fields);
  else if (tag === TAG.watchId) fields.watchId = watchIdOf(reader.uint64());
  else if (tag === TAG.created) fields.created = reader.varint() !== 0;
  else if (tag === TAG.canceled) fields.canceled = reader.varint() !== 0;
  else if (tag === TAG.compactRevision) fields.compactRevision = reader.varint();
  else if (tag === TAG.cancelReason) fields.cancelReason = reader.bytes().toString();
  else if (tag === TAG.fragment) fields.fragment = reader.varint() !== 0;
  else reader.skip(tag);
}

function readHeader(reader: ProtoReader, fields: Fields): void {
  const outer = reader.enter();
  while (reader.more) {
    const tag = reader.tag();
    if (tag === HEADER.cluster) fields.cluster = reader.uint64();
    else if (tag === HEADER.revision) fields.revision = reader.varint();
    else reader.skip(tag);
  }
  reader.leave(outer);
}

/** Negative numbers of protobuf have all 64 bits. */
const MINUS_ONE = '18446744073709551615';

function watchIdOf(id: string): number {
  return id === MINUS_ONE ? -1 : Number(id);
}

function readEvent(reader: ProtoReader, bytes: Buffer, start: number): WatchEvent {
  const outer = reader.enter();
  const event = new WatchEvent(bytes, start, start);
  while (reader.more) {
    const tag = reader.tag();
    if (tag === EVENT.kv) readKeyValue(reader, event);
    else if (tag === EVENT.type) event.isDelete = reader.varint() !== 0;
    else reader.skip(tag);
  }
  event.end = reader.at;
  reader.leave(outer);
  return event;
}

function readKeyValue(reader: ProtoReader, event: WatchEvent): void {
  const outer = reader.enter();
  while (reader.more) {
    const tag = reader.tag();
    if (tag === KEY_VALUE.key) {
      event.keyStart = reader.pass();
      event.keyEnd = reader.at;
    } else if (tag === KEY_VALUE.value) {
      event.valueStart = reader.pass();
      event.valueEnd = reader.at;
    } else if (tag === KEY_VALUE.revision) event.revision = reader.varint();
    else reader.skip(tag);
  }
  reader.leave(outer);
}
