import type { ConnackProperties, ProtocolLevel } from './packet.js';

/**
 * Encodes what one connection gets in one turn into a scratch buffer that all connections of a node share:
 *
 *   writer.begin(level, client's Maximum Packet Size);
 *   writer.puback(1); writer.publish(…);      // the caller looks at `length` to bound a write
 *   socket.write(writer.bytes());
 *   writer.end(socket.writableLength === 0);  // whether the kernel has taken it all
 *
 * Nothing between `begin` and `end` may call back into the writer.
 */
export class PacketWriter {
  /** Bytes since `begin`. */
  get length(): number {
    return 0;
  }

  /** @param maxPacketBytes Maximum Packet Size of the client; Infinity: it named none */
  begin(_level: ProtocolLevel, _maxPacketBytes = Infinity): void {}

  /** A view of the scratch buffer with everything since `begin`. */
  bytes(): Buffer {
    return Buffer.alloc(0);
  }

  /** @param taken false: somebody still reads the bytes, so the scratch buffer goes on behind them */
  end(_taken: boolean): void {}

  /** @returns false, and nothing written, for a reason that MQTT 3.1.1 has no return code for */
  connack(_sessionPresent: boolean, _reason: number, _properties: ConnackProperties | null = null): boolean {
    return true;
  }

  /** The reason is sent in MQTT 5 only; so for the three below. */
  puback(_id: number, _reason = 0): void {}
  pubrec(_id: number, _reason = 0): void {}
  pubrel(_id: number, _reason = 0): void {}
  pubcomp(_id: number, _reason = 0): void {}

  /** @param reasons in the order of the filters; all failures are 0x80 in MQTT 3.1.1 */
  suback(_id: number, _reasons: readonly number[]): void {}

  /** @param reasons in the order of the filters; not sent in MQTT 3.1.1 */
  unsuback(_id: number, _reasons: readonly number[]): void {}

  pingresp(): void {}

  /** Nothing in MQTT 3.1.1, where only clients send DISCONNECT. */
  disconnect(_reason: number, _reasonString: string | null = null): void {}

  /**
   * @param id 0 with QoS 0
   * @param subscriptionIds MQTT 5: of every subscription that matches and has one
   * @returns false, and nothing written, when it is larger than the client accepts (MQTT-3.1.2-24)
   */
  publish(
    _topic: string,
    _payload: string | Buffer,
    _qos: 0 | 1,
    _id: number,
    _dup: boolean,
    _subscriptionIds: readonly number[] | null,
  ): boolean {
    return true;
  }
}
