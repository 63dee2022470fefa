import type { Socket } from 'node:net';
import { reasonOf } from '../../../../telemetry/reason.js';
import * as frames from './frame.js';
import { FLAG, FRAME, SETTING, type FrameHead } from './frame.js';
import { BrokenHttp2, FrameReader, unpadded } from './frame-reader.js';
import { readHeaders, type Headers } from './header-block.js';
import { Http2Stream, REFILL_SHARE, type StreamConnection } from './http2-stream.js';

/** Bytes of the buffer into which everything is read: one read of a socket brings no more. */
const READ_BYTES = 64 * 1024;
/** Bytes of the headers of one answer, with the heads of their frames: empty ones have an end too. */
const HEADER_BYTES = 64 * 1024;
/** Bytes of a block of headers that is remembered, and how many of them: an etcd says two again and again. */
const KNOWN_BYTES = 256;
const KNOWN_BLOCKS = 16;
/** Answers to settings and pings that wait for the socket: a server that asks for more does not read them. */
const MOST_ANSWERS = 1_000;
/** The code of a goodbye without an error (RFC 9113, 7). */
const NO_ERROR = 0;

export interface Http2Limits {
  /** Bytes that each stream, and the connection, takes without allowing more. */
  readonly windowBytes: number;
  /** Bytes that wait for the socket, beyond which the server is taken for dead. */
  readonly waitingBytes: number;
}

export interface ConnectionEvents {
  /** The first settings of the server are there: it speaks HTTP/2. */
  onOpen(): void;
  /** A stream has ended: there may be room for another. */
  onRoom(): void;
  /** The server takes no more streams; those under way may still be answered. */
  onGoaway(reason: string): void;
  /** Called once, before its streams are told. */
  onClose(reason: string): void;
}

/** What a socket that reads into one buffer takes: see `onread` of net.connect. */
export interface OnRead {
  readonly buffer: Uint8Array;
  readonly callback: (bytes: number, buffer: Uint8Array) => boolean;
}

/**
 * The client's side of one HTTP/2 connection (RFC 9113), for requests of gRPC to an etcd. It forbids the server the dynamic
 * table of headers and pushes. Whatever it cannot read ends it. It has no timers: its owner decides how long to wait.
 */
export class Http2Connection implements StreamConnection {
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  readonly #streams = new Map<number, Http2Stream>();
  /** Streams that have more to send than the windows allow. */
  readonly #blocked = new Set<Http2Stream>();
  readonly #known = new Map<string, Headers>();
  #nextId = 1;
  /** What the server takes: bytes of the connection, of a new stream, of a frame, and streams at once. */
  #room = frames.FIRST_WINDOW;
  #firstRoom = frames.FIRST_WINDOW;
  #frameBytes = frames.FRAME_BYTES;
  #mostStreams = Infinity;
  /** Bytes of data that came since the server was allowed more. */
  #taken = 0;
  #isOpen = false;
  #isClosed = false;
  #isCorked = false;
  /** Headers that a frame has left unfinished. */
  #begun: { readonly stream: number; readonly flags: number; readonly parts: Buffer[]; bytes: number } | null = null;
  #pong: (() => void) | null = null;
  /** Answers since the socket had taken everything. */
  #answers = 0;

  /** @param dial connects, and reads as it is told; its owner listens for errors of the socket */
  constructor(
    dial: (onread: OnRead) => Socket,
    private readonly limits: Http2Limits,
    private readonly events: ConnectionEvents,
  ) {
    this.#reader = new FrameReader({
      onData: (head, piece, isLast, paddingBytes) => this.#takeData(head.stream, piece, isLast, paddingBytes),
      onFrame: (head, payload) => this.#takeFrame(head, payload),
    });
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    this.#socket = dial({ buffer, callback: (bytes) => this.#read(buffer.subarray(0, bytes)) });
    this.#write(frames.PREFACE);
    const window: readonly [number, number] = [SETTING.window, limits.windowBytes];
    this.#write(frames.settingsOf([[SETTING.headerTable, 0], [SETTING.push, 0], window]));
    this.#write(frames.windowUpdate(0, limits.windowBytes - frames.FIRST_WINDOW));
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Streams under way. */
  get streams(): number {
    return this.#streams.size;
  }

  /** Whether the server takes one more stream at present. */
  get hasRoom(): boolean {
    return this.#streams.size < this.#mostStreams;
  }

  /** Bytes that have come. */
  get bytesRead(): number {
    return this.#socket.bytesRead;
  }

  /**
   * Opens a stream; its headers go out with what is written in the same turn.
   * @param block headers, of one frame at most
   */
  open(block: Buffer): Http2Stream {
    const stream = new Http2Stream(this.#nextId, this, this.limits.windowBytes, this.#firstRoom);
    this.#nextId += 2;
    this.#streams.set(stream.id, stream);
    this.#write(frames.frameOf({ type: FRAME.headers, flags: FLAG.endHeaders, stream: stream.id }, block));
    return stream;
  }

  /** Asks for a sign of life; one that waits already is forgotten. */
  ping(onPong: () => void): void {
    this.#pong = onPong;
    this.#write(frames.frameOf({ type: FRAME.ping, flags: 0, stream: 0 }, Buffer.alloc(8)));
  }

  /** Ends it at once, and with it the streams. */
  destroy(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#reader.stop();
    this.#socket.destroy();
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    this.#blocked.clear();
    this.events.onClose(reason);
    for (const stream of streams) stream.break();
  }

  send(stream: Http2Stream): void {
    this.#blocked.delete(stream);
    while (!stream.isClosed) {
      const room = Math.min(this.#room, stream.room, this.#frameBytes);
      if (room <= 0) {
        this.#blocked.add(stream);
        return;
      }
      const next = stream.take(room);
      if (!next) return;
      const { piece, isLast } = next;
      this.#room -= piece.length;
      stream.room -= piece.length;
      const head = { type: FRAME.data, flags: isLast ? FLAG.end : 0, stream: stream.id };
      this.#write(frames.headOf(head, piece.length));
      this.#write(piece);
    }
  }

  grant(stream: Http2Stream, bytes: number): void {
    if (this.#streams.has(stream.id)) this.#write(frames.windowUpdate(stream.id, bytes));
  }

  reset(stream: Http2Stream): void {
    if (!this.#forget(stream)) return;
    this.#write(frames.resetOf(stream.id));
    this.events.onRoom();
  }

  #read(bytes: Buffer): boolean {
    try {
      this.#reader.take(bytes);
    } catch (error) {
      this.destroy(`the member sent what cannot be read: ${reasonOf(error)}`);
    }
    return true;
  }

  /** All of one turn goes out together. */
  #write(bytes: Buffer): void {
    if (this.#isClosed) return;
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#socket.cork();
      process.nextTick(() => this.#flush());
    }
    this.#socket.write(bytes);
    if (this.#socket.writableLength > this.limits.waitingBytes) this.destroy('the member does not take what is sent');
  }

  #answer(frame: Buffer): void {
    this.#answers = this.#socket.writableLength === 0 ? 0 : this.#answers + 1;
    if (this.#answers > MOST_ANSWERS) throw new BrokenHttp2('more questions than it takes answers');
    this.#write(frame);
  }

  #flush(): void {
    this.#isCorked = false;
    this.#socket.uncork();
  }

  #takeData(id: number, piece: Buffer, isLast: boolean, paddingBytes: number): void {
    this.#taken += piece.length + paddingBytes;
    if (this.#taken >= this.limits.windowBytes * REFILL_SHARE) {
      this.#write(frames.windowUpdate(0, this.#taken));
      this.#taken = 0;
    }
    if (this.#begun || id >= this.#nextId || id === 0) throw new BrokenHttp2('data at a wrong place');
    const stream = this.#streams.get(id);
    // Of a stream that was cancelled some may still be on its way.
    if (!stream) return;
    if (paddingBytes > 0) stream.pass(paddingBytes);
    if (piece.length > 0 && !stream.receive(piece)) throw new BrokenHttp2('more data than the window allows');
    if (isLast) this.#finish(stream);
  }

  #takeFrame(head: FrameHead, payload: Buffer): void {
    const { type, flags, stream } = head;
    if (this.#begun && (type !== FRAME.continuation || stream !== this.#begun.stream)) {
      throw new BrokenHttp2('a frame between headers');
    }
    if (!this.#isOpen && type !== FRAME.settings) throw new BrokenHttp2('no settings first');
    if (type === FRAME.headers) this.#takeHeaders(head, payload);
    else if (type === FRAME.continuation) this.#continueHeaders(flags, payload);
    else if (type === FRAME.windowUpdate) this.#takeWindow(stream, payload);
    else if (type === FRAME.settings) this.#takeSettings(flags, payload);
    else if (type === FRAME.ping) this.#takePing(flags, payload);
    else if (type === FRAME.reset) this.#takeReset(stream);
    else if (type === FRAME.goaway) this.#takeGoaway(payload);
    else if (type === FRAME.pushPromise) throw new BrokenHttp2('a push, which was not allowed');
    // Other types have no meaning here and are to be passed over (RFC 9113, 5.5).
  }

  #takeHeaders(head: FrameHead, payload: Buffer): void {
    const { flags, stream } = head;
    const part = unpadded(head, payload).subarray((flags & FLAG.priority) === 0 ? 0 : 5);
    this.#begun = { stream, flags, parts: [], bytes: 0 };
    this.#continueHeaders(flags, part);
  }

  #continueHeaders(flags: number, part: Buffer): void {
    const begun = this.#begun;
    if (!begun) throw new BrokenHttp2('a continuation of nothing');
    begun.bytes += frames.FRAME_HEAD_BYTES + part.length;
    if (begun.bytes > HEADER_BYTES) throw new BrokenHttp2(`headers of more than ${HEADER_BYTES} bytes`);
    const isWhole = (flags & FLAG.endHeaders) !== 0;
    // Of a payload that is used again.
    if (!isWhole || begun.parts.length > 0) begun.parts.push(Buffer.from(part));
    if (!isWhole) return;
    this.#begun = null;
    const headers = this.#headersOf(begun.parts.length > 0 ? Buffer.concat(begun.parts) : part);
    const stream = this.#streams.get(begun.stream);
    if (!stream) return;
    stream.receiveHeaders(headers);
    if ((begun.flags & FLAG.end) !== 0 && !stream.isClosed) this.#finish(stream);
  }

  #headersOf(block: Buffer): Headers {
    if (block.length > KNOWN_BYTES) return readHeaders(block);
    const key = block.toString('latin1');
    const known = this.#known.get(key);
    if (known) return known;
    const headers = readHeaders(block);
    if (this.#known.size < KNOWN_BLOCKS) this.#known.set(key, headers);
    return headers;
  }

  #takeWindow(id: number, payload: Buffer): void {
    const more = payload.length === 4 ? payload.readUInt32BE() & frames.LARGEST_WINDOW : 0;
    if (id === 0) {
      this.#room += more;
      if (more === 0 || this.#room > frames.LARGEST_WINDOW) throw new BrokenHttp2('a window of a wrong size');
      this.#unblock();
      return;
    }
    const stream = this.#streams.get(id);
    if (!stream) return;
    stream.room += more;
    if (more === 0 || stream.room > frames.LARGEST_WINDOW) throw new BrokenHttp2('a window of a wrong size');
    if (this.#blocked.has(stream)) this.send(stream);
  }

  #unblock(): void {
    for (const stream of [...this.#blocked]) this.send(stream);
  }

  #takeSettings(flags: number, payload: Buffer): void {
    if ((flags & FLAG.ack) !== 0) return;
    if (payload.length % 6 !== 0) throw new BrokenHttp2('settings that are cut off');
    for (let at = 0; at < payload.length; at += 6) this.#set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    this.#answer(frames.headOf({ type: FRAME.settings, flags: FLAG.ack, stream: 0 }, 0));
    if (!this.#isOpen) {
      this.#isOpen = true;
      this.events.onOpen();
    } else this.events.onRoom();
    this.#unblock();
  }

  #set(setting: number, value: number): void {
    if (setting === SETTING.streams) this.#mostStreams = value;
    else if (setting === SETTING.frame) {
      if (value < frames.FRAME_BYTES || value > frames.LARGEST_FRAME) throw new BrokenHttp2('frames of a wrong size');
      this.#frameBytes = value;
    } else if (setting === SETTING.window) {
      if (value > frames.LARGEST_WINDOW) throw new BrokenHttp2('a window of a wrong size');
      for (const stream of this.#streams.values()) stream.room += value - this.#firstRoom;
      this.#firstRoom = value;
    }
  }

  #takePing(flags: number, payload: Buffer): void {
    if (payload.length !== 8) throw new BrokenHttp2('a ping of a wrong size');
    if ((flags & FLAG.ack) === 0) {
      return this.#answer(frames.frameOf({ type: FRAME.ping, flags: FLAG.ack, stream: 0 }, payload));
    }
    const pong = this.#pong;
    this.#pong = null;
    pong?.();
  }

  #takeReset(id: number): void {
    const stream = this.#streams.get(id);
    if (!stream) return;
    this.#forget(stream);
    stream.break();
    this.events.onRoom();
  }

  #takeGoaway(payload: Buffer): void {
    if (payload.length < 8) throw new BrokenHttp2('a goodbye that is cut off');
    const last = payload.readUInt32BE() & 0x7fff_ffff;
    const code = payload.readUInt32BE(4);
    const reason = `the member said goodbye with code ${code}`;
    this.events.onGoaway(reason);
    if (code !== NO_ERROR) return this.destroy(reason);
    for (const stream of [...this.#streams.values()]) if (stream.id > last) this.#takeReset(stream.id);
  }

  #finish(stream: Http2Stream): void {
    if (!this.#forget(stream)) return;
    // The server waits for nothing more of it.
    if (!stream.isSent) this.#write(frames.resetOf(stream.id));
    stream.finish();
    this.events.onRoom();
  }

  #forget(stream: Http2Stream): boolean {
    this.#blocked.delete(stream);
    return this.#streams.delete(stream.id);
  }
}
