import type { MqttConfig } from '../../../config/config.js';
import type { PacketWriter } from '../packets/packet-writer.js';
import { REASON } from '../packets/reason-codes.js';

/**
 * Writes the last packet of a connection: DISCONNECT, or CONNACK where CONNECT has no answer yet.
 * @param reason null: its client hears nothing more
 */
export function farewell(
  reason: number | null,
  wasOpen: boolean,
  { serverReference }: Pick<MqttConfig, 'serverReference'>,
): (writer: PacketWriter) => void {
  return (writer) => {
    if (reason === null) return;
    const properties = reason === REASON.useAnotherServer && serverReference !== null ? { serverReference } : null;
    if (wasOpen) writer.disconnect(reason, properties);
    else writer.connack(false, reason, properties);
  };
}
