/** Types of frames (RFC 9113, 6). */
export const FRAME = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** Flags; 1 is END_STREAM on data and headers, and ACK on settings and pings. */
export const FLAG = { end: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

/** Identifiers of settings (RFC 9113, 6.5.2). */
export const SETTING = { headerTable: 1, push: 2, streams: 3, window: 4, frame: 5 } as const;

/** Bytes before each payload: length, type, flags, stream. */
export const FRAME_HEAD_BYTES = 9;
/** Bytes of a payload that each side takes without being asked to. We never ask for more. */
export const FRAME_BYTES = 16_384;
/** The window of a stream and of a connection before anybody says otherwise. */
export const FIRST_WINDOW = 65_535;
export const LARGEST_WINDOW = 2 ** 31 - 1;
export const LARGEST_FRAME = 2 ** 24 - 1;

/** What a client says before its first frame. */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** What the head of a frame says beside the length of its payload. */
export interface FrameHead {
  readonly type: number;
  readonly flags: number;
  /** Id of its stream; 0: the connection. */
  readonly stream: number;
}

function writeHead(buffer: Buffer, size: number, { type, flags, stream }: FrameHead): void {
  buffer.writeUIntBE(size, 0, 3);
  buffer[3] = type;
  buffer[4] = flags;
  buffer.writeUInt32BE(stream, 5);
}

/** The head alone, for a payload of `size` bytes that is written by itself. No errors. */
export function headOf(frame: FrameHead, size: number): Buffer {
  const head = Buffer.allocUnsafe(FRAME_HEAD_BYTES);
  writeHead(head, size, frame);
  return head;
}

/** A whole frame. No errors. */
export function frameOf(frame: FrameHead, payload: Buffer): Buffer {
  const whole = Buffer.allocUnsafe(FRAME_HEAD_BYTES + payload.length);
  writeHead(whole, payload.length, frame);
  whole.set(payload, FRAME_HEAD_BYTES);
  return whole;
}

/** Allows the other side so many more `bytes` on the `stream` with this id; 0: on the connection. No errors. */
export function windowUpdate(stream: number, bytes: number): Buffer {
  return frameOf({ type: FRAME.windowUpdate, flags: 0, stream }, numberOf(bytes));
}

/** Tells the other side that nobody waits for the rest of the `stream` with this id. No errors. */
export function resetOf(stream: number): Buffer {
  return frameOf({ type: FRAME.reset, flags: 0, stream }, numberOf(CANCEL));
}

/** The code of errors for what is not wanted any more (RFC 9113, 7). */
const CANCEL = 8;

function numberOf(value: number): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32BE(value);
  return payload;
}

/** @param settings pairs of identifier and value. No errors. */
export function settingsOf(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.allocUnsafe(settings.length * 6);
  settings.forEach(([id, value], i) => {
    payload.writeUInt16BE(id, i * 6);
    payload.writeUInt32BE(value, i * 6 + 2);
  });
  return frameOf({ type: FRAME.settings, flags: 0, stream: 0 }, payload);
}
