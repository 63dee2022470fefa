import { frame } from '../client/channel/grpc-message.js';

/** The method of the stream. */
export const WATCH_PATH = '/etcdserverpb.Watch/Watch';

/** Tags of WatchRequest and of WatchCreateRequest: field number times 8, and 2 for what has a length. */
const REQUEST = { create: 0x0a, progress: 0x1a } as const;
const CREATE = { key: 0x0a, rangeEnd: 0x12, startRevision: 0x18, progressNotify: 0x20, fragment: 0x40 } as const;

export interface WatchRange {
  readonly key: Buffer;
  readonly rangeEnd: Buffer;
  /** The first revision whose events are wanted. */
  readonly startRevision: number;
}

/** Asks for a watch with progress notices and fragments; with the head of gRPC. No errors. */
export function createRequest({ key, rangeEnd, startRevision }: WatchRange): Buffer {
  const create = Buffer.concat([
    field(CREATE.key, key),
    field(CREATE.rangeEnd, rangeEnd),
    Buffer.from([CREATE.startRevision, ...varint(startRevision), CREATE.progressNotify, 1, CREATE.fragment, 1]),
  ]);
  return frame(field(REQUEST.create, create));
}

/** Asks for the revision up to which a watch has all events; with the head of gRPC. No errors. */
export const progressRequest = (): Buffer => frame(Buffer.from([REQUEST.progress, 0]));

function field(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag, ...varint(content.length)]), content]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return [...bytes, rest];
}
