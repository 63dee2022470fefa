import { malformed } from './fields.js';
import { HeldBytes } from './held-bytes.js';
import type { PacketHandler, ProtocolLevel } from './packet.js';
import { PacketParser, type ParserOptions } from './packet-parser.js';
import { ProtocolError } from './protocol-error.js';
import { REASON } from './reason-codes.js';

/** One object may serve all readers. */
export interface ReaderOptions extends ParserOptions {
  /** Bytes of a whole packet, fixed header included. */
  readonly maxPacketBytes: number;
  /** Milliseconds that never go back. */
  monotonic(): number;
}

/** Bytes beside one packet that a paused reader takes: what was on its way when the socket was paused. */
const MAX_PAUSED_BYTES = 256 * 1024;
/** A remaining length has at most four bytes of seven bits (MQTT 5.0 section 2.1.4). */
const LENGTH_BITS = 28;

/**
 * Reads the packets of one client out of what arrives. It refuses a first packet that is not CONNECT, a second CONNECT,
 * and everything that the standard does not allow in a packet by itself. The door judges what depends on its state:
 * identifiers in use, an empty client identifier without Clean Session, Session Expiry Interval in DISCONNECT, AUTH.
 */
export class PacketReader {
  readonly #parser: PacketParser;
  #held: HeldBytes | null = null;
  #incompleteSince: number | null = null;
  /** Bytes that another layer keeps before they come here; 0: none. */
  #before = 0;
  #beforeSince: number | null = null;
  #paused = false;
  #closed = false;
  #reading = false;
  #failure: Error | null = null;

  constructor(
    handler: PacketHandler,
    private readonly options: ReaderOptions,
  ) {
    this.#parser = new PacketParser(handler, options);
  }

  /** 0 until the level of a CONNECT was read and is served: what is sent before has the form of MQTT 3.1.1. */
  get level(): ProtocolLevel | 0 {
    return this.#parser.level;
  }

  /** Bytes of memory that are kept: an incomplete packet, what came after `pause`, and what `keptBefore` tells. */
  get heldBytes(): number {
    return (this.#held?.capacity ?? 0) + this.#before;
  }

  /**
   * When the first byte came of the packet that is still incomplete, in the milliseconds of `monotonic`; null: there is
   * none. A pause does not count: the packet then begins with `resume`.
   */
  get incompleteSince(): number | null {
    return this.#incompleteSince ?? this.#beforeSince;
  }

  /** @param bytes that the layer below keeps of something that is not complete. 0: it is complete */
  keptBefore(bytes: number): void {
    if (this.#closed) return;
    this.#before = bytes;
    if (bytes === 0) this.#beforeSince = null;
    else if (!this.#paused) this.#beforeSince ??= this.options.monotonic();
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  /**
   * Calls the handler for every packet that is complete with these bytes, which may be overwritten afterwards. After
   * `close` it does nothing.
   *
   * @throws ProtocolError for a client that breaks the standard or a limit, and whatever the handler throws; the reader
   * cannot be used after either: it throws the same again
   */
  read(chunk: Buffer, length = chunk.length): void {
    if (!this.#begin()) return;
    try {
      const held = this.#paused ? null : this.#held;
      let at = held === null ? 0 : this.#complete(held, chunk, length);
      at = this.#packets(chunk, at, length);
      if (at < length && !this.#closed) this.#keep(chunk, at, length);
    } catch (error) {
      throw this.#fail(toError(error));
    }
    this.#end();
  }

  /**
   * Ends the loop of `read` before the next packet, and keeps the rest. Whoever pauses stops reading from the socket too:
   * more than 256 KiB beside a packet are refused with 0x97.
   */
  pause(): void {
    this.#paused = true;
    this.#incompleteSince = null;
    this.#beforeSince = null;
  }

  /**
   * Reads on with what was kept; inside a call of the handler it only takes back `pause`.
   *
   * @throws ProtocolError as `read`
   */
  resume(): void {
    if (this.#failure === null && this.#closed) return;
    this.#paused = this.#closed;
    if (this.#before > 0) this.#beforeSince = this.options.monotonic();
    if (this.#reading || !this.#begin()) return;
    try {
      const held = this.#held;
      if (held !== null) this.#resume(held);
    } catch (error) {
      throw this.#fail(toError(error));
    }
    this.#end();
  }

  /** Reads nothing more, and forgets what it keeps. */
  close(): void {
    this.#closed = true;
    this.#paused = true;
    this.#held = null;
    this.#incompleteSince = null;
    this.#before = 0;
    this.#beforeSince = null;
  }

  #begin(): boolean {
    if (this.#failure !== null) throw this.#failure;
    if (this.#reading) throw new Error('a packet handler may not call the reader that calls it');
    this.#reading = !this.#closed;
    return this.#reading;
  }

  #end(): void {
    this.#reading = false;
    this.#parser.forget();
  }

  #fail(error: Error): Error {
    this.#failure = error;
    this.close();
    this.#end();
    return error;
  }

  /** @returns where the packet begins that is not complete, or that comes after a pause */
  #packets(buffer: Buffer, from: number, end: number): number {
    const { maxPacketBytes } = this.options;
    let at = from;
    while (at < end && !this.#paused) {
      const first = buffer[at] as number;
      this.#parser.checkFirstByte(first);
      let body = at + 1;
      let length = 0;
      let byte = 0x80;
      for (let shift = 0; byte > 0x7f; shift += 7) {
        if (shift === LENGTH_BITS) throw malformed('the remaining length takes more than four bytes');
        if (body === end) return at;
        byte = buffer[body++] as number;
        length |= (byte & 0x7f) << shift;
      }
      const next = body + length;
      if (next - at > maxPacketBytes) throw tooLarge(next - at);
      if (next > end) return at;
      this.#parser.parse(first, buffer, body, next, byte === 0 && body - at > 2);
      at = next;
    }
    return at;
  }

  /**
   * Adds to an incomplete packet just what it lacks; the others are read where they are.
   *
   * @returns how much of the chunk was taken
   */
  #complete(held: HeldBytes, chunk: Buffer, length: number): number {
    let at = 0;
    while (at < length) {
      const total = packetBytes(held.buffer, held.to);
      // Byte by byte up to the length, so that a packet that is too large is refused before its body comes.
      const lacking = total === 0 ? 1 : total - held.to;
      const end = Math.min(length, at + lacking);
      held.append(chunk, at, end, total);
      at = end;
      if (this.#packets(held.buffer, 0, held.to) === 0) continue;
      this.#held = null;
      this.#incompleteSince = null;
      return at;
    }
    return at;
  }

  #resume(held: HeldBytes): void {
    held.from = this.#packets(held.buffer, held.from, held.to);
    if (this.#paused && held.length > 0) return;
    this.#held = null;
    if (held.length > 0) this.#keep(held.buffer, held.from, held.to);
  }

  #keep(chunk: Buffer, start: number, end: number): void {
    const most = this.options.maxPacketBytes + MAX_PAUSED_BYTES;
    if ((this.#held?.length ?? 0) + end - start > most)
      throw new ProtocolError(REASON.quotaExceeded, 'more came during a pause than is kept');
    this.#held ??= new HeldBytes(end - start);
    this.#held.append(chunk, start, end, most);
    if (!this.#paused) this.#incompleteSince ??= this.options.monotonic();
  }
}

/** Whole length of the packet that begins with these bytes; 0: not known yet. */
function packetBytes(buffer: Buffer, length: number): number {
  let remaining = 0;
  for (let at = 1; at < length && at <= 4; at++) {
    const byte = buffer[at] as number;
    remaining |= (byte & 0x7f) << (7 * (at - 1));
    if (byte < 0x80) return at + 1 + remaining;
  }
  return 0;
}

function tooLarge(bytes: number): ProtocolError {
  return new ProtocolError(REASON.packetTooLarge, `a packet of ${bytes} bytes is too large`);
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
