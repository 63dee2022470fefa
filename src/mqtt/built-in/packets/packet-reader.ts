import type { PacketHandler, ProtocolLevel } from './packet.js';

/** One object may serve all readers. */
export interface ReaderOptions {
  /** Bytes of a whole packet, fixed header included. */
  readonly maxPacketBytes: number;
  /** Filters in one SUBSCRIBE or UNSUBSCRIBE; more are refused with 0x97 (quota exceeded). */
  readonly maxFilters: number;
  /** The Topic Alias Maximum that CONNACK announces; 0: aliases are refused. */
  readonly topicAliasMaximum: number;
  /** Milliseconds that never go back. */
  monotonic(): number;
}

/**
 * Reads the packets of one client out of what arrives. It refuses a first packet that is not CONNECT, a second CONNECT,
 * and everything that the standard does not allow in a packet by itself. The door judges what depends on its state:
 * identifiers in use, an empty client identifier without Clean Session, Session Expiry Interval in DISCONNECT, AUTH.
 */
export class PacketReader {
  constructor(
    private readonly handler: PacketHandler,
    private readonly options: ReaderOptions,
  ) {}

  /** 0 until the level of a CONNECT was read and is served: what is sent before has the form of MQTT 3.1.1. */
  get level(): ProtocolLevel | 0 {
    void this.handler;
    return 0;
  }

  /** Bytes that the reader keeps: an incomplete packet, or what came after `pause`. */
  get heldBytes(): number {
    void this.options;
    return 0;
  }

  /** When the first byte of the packet came that is still incomplete, in the milliseconds of `monotonic`; null: there is none. */
  get incompleteSince(): number | null {
    return null;
  }

  get isPaused(): boolean {
    return false;
  }

  /**
   * Calls the handler for every packet that is complete with these bytes, which may be overwritten afterwards.
   *
   * @throws ProtocolError for a client that breaks the standard or a limit; the reader cannot be used after it
   */
  read(_chunk: Buffer, _length = _chunk.length): void {}

  /**
   * Ends the loop of `read` before the next packet, and keeps the rest. Whoever pauses stops reading from the socket too:
   * more than 256 KiB beside a packet are refused with 0x97.
   */
  pause(): void {}

  /**
   * Reads on with what was kept; inside a call of the handler it only takes back `pause`.
   *
   * @throws ProtocolError as `read`
   */
  resume(): void {}
}
