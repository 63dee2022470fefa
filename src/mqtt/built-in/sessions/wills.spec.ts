import { SYSTEM_CLOCK } from '../../../resilience/clock.js';
import type { IncomingRequest } from '../connections/incoming-request.js';
import { MemoryBudget } from './memory-budget.js';
import type { Session } from './session.js';
import { Wills } from './wills.js';

describe('wills', () => {
  it('carries out all of them, however many end as they begin', () => {
    const budget = new MemoryBudget(64 * 1024 * 1024);
    const running: IncomingRequest[] = [];
    let isFull = false;
    let ended = 0;
    const handle = (request: IncomingRequest): void => {
      if (!isFull) return void running.push(request);
      ended++;
      request.settle('done');
    };
    const wills = new Wills(SYSTEM_CLOCK, budget, handle, () => undefined);
    const session = { id: 'device', principal: { id: 'device', tenant: 't' } } as unknown as Session;
    const will = { topic: '$aws/things/t/shadow/update', payload: Buffer.from('{}'), qos: 0, delay: 0 } as const;
    for (let i = 0; i < 10_000; i++) wills.left(session, will);
    isFull = true;
    for (const request of running) request.settle('done');
    expect([running.length, ended]).toEqual([100, 9_900]);
  });
});
