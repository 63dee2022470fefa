import type { Principal } from '../../../access/principal.js';
import { IncomingRequest, Route } from './incoming-request.js';

it('ends its connection when that throws as it acknowledges, and never throws into the store', () => {
  const errors: unknown[] = [];
  const error = new Error('planted');
  const owner = {
    clientId: 'device',
    principal: { id: 'device', tenant: 't' } as unknown as Principal,
    address: '127.0.0.1',
    settled: () => {
      throw error;
    },
    fail: (thrown: unknown) => void errors.push(thrown),
  };
  const request = new IncomingRequest(owner, new Route('t', 't'), Buffer.alloc(0), 1, 7, false);
  request.settle('done');
  request.settle('withheld');
  expect(errors).toEqual([error]);
  expect(request.outcome).toBe('done');
});
