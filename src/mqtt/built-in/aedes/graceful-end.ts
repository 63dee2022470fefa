import type { Duplex } from 'node:stream';
import type { AedesClient } from './aedes-parts.js';

/** Milliseconds for which the peer may take its time to close. */
const CLOSE_MS = 1_000;

/**
 * After a DISCONNECT it is the client that closes the connection (MQTT-3.14.4-1). aedes cuts it at once: what the client
 * still sends then, such as the last record of TLS, is answered with a reset, which SDKs report as an error.
 */
export function letPeerClose(stream: Duplex, client: AedesClient): void {
  const destroy = stream.destroy.bind(stream);
  let ending = false;
  stream.destroy = (error?: Error) => {
    if (error || !client._disconnected || stream.readableEnded || ending) return destroy(error);
    ending = true;
    const timer = setTimeout(destroy, CLOSE_MS).unref();
    stream.once('close', () => clearTimeout(timer));
    stream.once('end', () => destroy());
    stream.resume();
    stream.end();
    return stream;
  };
}
