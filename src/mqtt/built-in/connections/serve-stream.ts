import type { Duplex } from 'node:stream';
import { REASON } from '../packets/reason-codes.js';
import type { Connection } from './connection.js';

const CONNECTION = Symbol('connection');
type Served = Duplex & { [CONNECTION]: Connection };

/** Passes the events of a stream to its connection. The listeners are shared: ones of its own would take half a KiB. */
export function serveStream(stream: Duplex, connection: Connection): void {
  (stream as Served)[CONNECTION] = connection;
  stream.on('data', onData);
  stream.on('drain', onDrain);
  stream.on('error', onError);
  stream.on('close', onClose);
  // A server may have accepted it paused.
  stream.resume();
}

/** A stream that has no event for it has read so many bytes into `buffer`, which may change after this. */
export function received(stream: Duplex, buffer: Buffer, bytes: number): void {
  (stream as Served)[CONNECTION].read(buffer, bytes);
}

/** The WebSocket below a stream keeps so many bytes of a message that is not complete. */
export function holdsFrame(stream: Duplex, bytes: number): void {
  (stream as Served)[CONNECTION].holdsFrame(bytes);
}

function onData(this: Served, chunk: Buffer | string): void {
  // MQTT-6.0.0-1: packets come in binary frames. Only a frame of text is a string.
  if (typeof chunk === 'string') this[CONNECTION].end(REASON.malformedPacket, 'a frame of text');
  else this[CONNECTION].read(chunk, chunk.length);
}

function onDrain(this: Served): void {
  this[CONNECTION].drained();
}

function onError(this: Served, error: Error): void {
  this[CONNECTION].broken(error);
}

function onClose(this: Served): void {
  this[CONNECTION].closed();
}
