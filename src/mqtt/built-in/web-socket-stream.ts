import type { Duplex } from 'node:stream';
import { createWebSocketStream, type WebSocket } from 'ws';

/** Pings of one turn of the loop; more end the connection. */
const MAX_PINGS = 100;
/** Bytes that may wait for a peer that is to get a pong. */
const MAX_WAITING = 64 * 1024;

/** The stream of a WebSocket. It reads frames of text as strings, which MQTT does not allow, and others as bytes. */
export function webSocketStream(webSocket: WebSocket): Duplex {
  // In object mode text stays text. One frame is read ahead.
  const stream = createWebSocketStream(webSocket, { readableObjectMode: true, readableHighWaterMark: 1 });
  // Its end means that the WebSocket is closed, so there is no other half to keep open.
  stream.once('end', () => stream.destroy());
  answerPings(webSocket, stream);
  return stream;
}

/** Answers at most one ping in a turn, the latest (RFC 6455 section 5.5.3): pings are not counted as packets are. */
function answerPings(webSocket: WebSocket, stream: Duplex): void {
  let pings = 0;
  let latest: Buffer;
  const answer = (): void => {
    pings = 0;
    // Pongs must not pile up for a peer that does not read.
    if (webSocket.bufferedAmount <= MAX_WAITING) webSocket.pong(latest);
  };
  webSocket.on('ping', (data: Buffer) => {
    latest = data;
    if (++pings > MAX_PINGS) stream.destroy();
    else if (pings === 1) setImmediate(answer);
  });
}
