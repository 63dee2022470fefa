import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { Server, UntypedServiceImplementation } from '@grpc/grpc-js';
import { addReflection } from './grpc-reflection.js';

describe('reflection', () => {
  it('reads a request when the answer before it is taken', async () => {
    let handler!: (call: Duplex) => void;
    const server = {
      addService: (_: unknown, services: UntypedServiceImplementation) =>
        (handler = services.ServerReflectionInfo as unknown as typeof handler),
    };
    addReflection(server as unknown as Server, {});
    const taken: (() => void)[] = [];
    const call = new Duplex({
      objectMode: true,
      read: () => undefined,
      write: (_answer, _encoding, done: () => void) => taken.push(done),
    });
    handler(call);
    for (let i = 0; i < 5; i++) call.push({ messageRequest: 'listServices', listServices: '*' });
    call.push(null);
    for (let answers = 1; answers <= 5; answers++) {
      for (let i = 0; i < 5; i++) await turn();
      expect([taken.length, call.writableLength]).toEqual([answers, 1]);
      taken.at(-1)!();
    }
    for (let i = 0; i < 5; i++) await turn();
    expect(call.writableEnded).toBe(true);
  });
});
