import { EventEmitter } from 'node:events';
import type { Server, Socket } from 'node:net';
import { SILENT_LOGGER } from '../telemetry/logger.js';
import { GrpcConnections, type Ends } from './grpc-connections.js';

const ENDS = { localAddress: '10.0.0.1', localPort: 9090, remoteAddress: '10.0.0.9', remotePort: 1 };

describe('gRPC connections', () => {
  let listener: EventEmitter;
  let connections: GrpcConnections;

  beforeEach(() => {
    listener = new EventEmitter();
    connections = new GrpcConnections({ max: 2, ofNetwork: 0 }, SILENT_LOGGER);
    connections.watch(listener as Server);
  });
  afterEach(() => connections.stop());

  function accepted(ends: Ends): Socket {
    const socket = Object.assign(new EventEmitter(), ends, { destroyed: false, destroy: () => undefined });
    socket.destroy = () => void (socket.destroyed = true);
    listener.emit('connection', socket);
    return socket as unknown as Socket;
  }

  it('are known by both of their ends', () => {
    const elsewhere = { ...ENDS, localAddress: '10.0.0.2' };
    accepted(ENDS);
    const other = accepted(elsewhere);
    const known = connections.of(ENDS);
    expect(connections.of(elsewhere)).not.toBe(known);
    other.emit('close');
    expect([connections.of(ENDS), connections.of(elsewhere), connections.count]).toEqual([known, undefined, 1]);
  });

  it('are each counted once, although the ends of a closed one come again before its close is told', () => {
    const [old, fresh] = [accepted(ENDS), accepted(ENDS)];
    expect(connections.count).toBe(2);
    const known = connections.of(ENDS);
    old.emit('close');
    expect([connections.of(ENDS), connections.count]).toEqual([known, 1]);
    fresh.emit('close');
    expect([connections.of(ENDS), connections.count]).toEqual([undefined, 0]);
  });

  it('give way where they are open', () => {
    const sockets = [accepted(ENDS), accepted(ENDS)];
    for (const socket of sockets) socket.emit('close');
    const [one, two, three] = [2, 3, 4].map((remotePort) => accepted({ ...ENDS, remotePort }));
    expect([one!.destroyed, two!.destroyed, three!.destroyed, connections.count]).toEqual([true, false, false, 2]);
  });

  it('whose peer has gone before they are accepted take no place', () => {
    const socket = accepted({ localAddress: '10.0.0.1', localPort: 9090 });
    expect([socket.destroyed, connections.count]).toEqual([true, 0]);
  });
});
