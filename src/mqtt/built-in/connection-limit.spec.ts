import { createServer, Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { until } from '../../../test/harness/until.js';
import { SILENT_LOGGER } from '../../telemetry/logger.js';
import { ConnectionLimit } from './connection-limit.js';

/** Connections beyond the limit that are taken only to be refused. */
const REFUSING = 32;

describe('ConnectionLimit', () => {
  it('leaves the listeners less room for each WebSocket, until it closes', async () => {
    const limit = new ConnectionLimit(10, SILENT_LOGGER);
    const server = createServer();
    limit.watch(server, false);
    expect(server.maxConnections).toBe(10 + REFUSING);
    const webSockets = Array.from({ length: 10 }, () => new PassThrough());
    for (const each of webSockets) expect(limit.admit(each, false)).toBe(true);
    expect(limit.isFull).toBe(true);
    expect(server.maxConnections).toBe(REFUSING);
    for (const each of webSockets) each.destroy();
    await until('the room is back', () => server.maxConnections === 10 + REFUSING);
    expect(limit.isFull).toBe(false);
  });

  it('counts a connection of a listener once', async () => {
    const limit = new ConnectionLimit(1, SILENT_LOGGER);
    const server = createServer();
    limit.watch(server, false);
    const sockets = [new PassThrough(), new PassThrough()] as const;
    for (const each of sockets) server.emit('connection', each);
    expect(limit.admit(sockets[0], true)).toBe(true);
    expect(limit.admit(sockets[1], true)).toBe(false);
    // Two are open: there is room for 31 more.
    expect(server.maxConnections).toBe(2 + REFUSING - 1);
    for (const each of sockets) each.destroy();
    await until('the room is back', () => server.maxConnections === 1 + REFUSING && !limit.isFull);
    limit.stop();
  });

  it('counts a connection that was moved from its listener until it closes', async () => {
    const limit = new ConnectionLimit(1, SILENT_LOGGER);
    const server = createServer();
    limit.watch(server, true);
    const moved = Array.from({ length: REFUSING }, () => new Socket());
    for (const each of moved) limit.opened(each, null);
    // The listener counts none of them: it has room for one.
    expect(server.maxConnections).toBe(1);
    for (const each of moved) each.destroy();
    await until('the room is back', () => server.maxConnections === 1 + REFUSING);
  });

  it('has no room for a WebSocket while the listeners have taken all descriptors', () => {
    const limit = new ConnectionLimit(1, SILENT_LOGGER);
    const server = createServer();
    limit.watch(server, false);
    const handshakes = Array.from({ length: 1 + REFUSING }, () => new PassThrough());
    for (const each of handshakes) server.emit('connection', each);
    expect(limit.isFull).toBe(true);
    // One of them may still be the connection that there is room for.
    expect(limit.admit(handshakes[0] as PassThrough, true)).toBe(true);
    for (const each of handshakes) each.destroy();
  });
});
