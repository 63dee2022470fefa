import { Socket } from 'node:net';
import { received } from './serve-stream.js';

/** Bytes that one read of the system brings at most. */
const READ_BYTES = 64 * 1024;
/** All connections are read into it, one after the other: a packet is handled before the next read. */
const shared = Buffer.allocUnsafeSlow(READ_BYTES);

/** What net.Socket has beside its documented members. */
interface Handled {
  _handle: { useUserBuffer?: unknown } | null;
}

/**
 * Moves an accepted connection to a socket that reads into one buffer with all others: a buffer of its own for each read
 * costs a seventh of an update (ADR 0017). Only sockets that are made anew can have that (`onread`), and the one that a
 * server makes has the connection already, so this takes the handle out of it. A Node without such a handle keeps the
 * accepted socket, which is read like any stream.
 *
 * @param accepted paused; it counts as closed for its server afterwards
 */
export function shareReads(accepted: Socket): Socket {
  const { _handle: handle } = accepted as unknown as Handled;
  if (typeof handle?.useUserBuffer !== 'function') return accepted;
  (accepted as unknown as Handled)._handle = null;
  accepted.destroy();
  const callback = (bytes: number): boolean => {
    received(socket, shared, bytes);
    return true;
  };
  const socket: Socket = new Socket({ handle, onread: { buffer: shared, callback } } as object);
  return socket;
}
