import { SYSTEM_CLOCK } from '../../../resilience/clock.js';
import { DeadlineSweep } from '../../../resilience/deadline-sweep.js';
import { ServiceError } from '../../../errors/service-error.js';
import type { Logger } from '../../../telemetry/logger.js';
import type { Operation } from '../../operation.js';
import { ShadowQueue } from '../../shadow-queue.js';
import { ShadowWrite } from './shadow-write.js';
import type { WriterParts } from './shadow-writer.js';

const KEY = 'shadow';
const deadline = performance.now() + 60_000;

/** A line whose first change runs until `leave`; whatever begins after it finds the storage full. */
function line(maxPerShadow = 10) {
  const queue = new ShadowQueue(maxPerShadow, new DeadlineSweep(SYSTEM_CLOCK));
  const lines: string[] = [];
  const ended: [id: number, code: string][] = [];
  const parts = {
    queue,
    clock: SYSTEM_CLOCK,
    cache: { get: () => ({ record: null, revision: 1 }) },
    guard: {
      check: () => {
        throw new ServiceError('storageFull');
      },
    },
    logger: { error: (_: unknown, message: string) => void lines.push(message) } as unknown as Logger,
  } as unknown as WriterParts;
  queue.enter(KEY, { deadline, begin: () => undefined, failed: () => undefined });
  const enter = (id: number, failed?: (error: unknown) => void): void => {
    const operation: Operation = {
      key: { tenant: 't', thing: 'x', name: null },
      deadline,
      change: () => ({ state: { version: 1, metadata: {} }, change: { kind: 'update', principal: 'p', at: 0 } }),
      committed: () => ended.push([id, 'committed']),
      failed: failed ?? ((error) => void ended.push([id, (error as ServiceError).code])),
    };
    queue.enter(KEY, new ShadowWrite(parts, operation, KEY, undefined));
  };
  return { queue, enter, ended, lines, leave: () => queue.leave(KEY) };
}

function fault(): never {
  throw new Error('planted');
}

describe('a change of a shadow', () => {
  it('is answered when the storage is full, however many wait with it', async () => {
    const { queue, enter, ended, lines, leave } = line(5_000);
    for (let id = 0; id < 5_000; id++) enter(id);
    leave();
    await queue.run(KEY, deadline, async () => undefined);
    expect(ended).toEqual(Array.from({ length: 5_000 }, (_, id) => [id, 'storageFull']));
    expect(lines).toEqual([]);
    expect(queue.size).toBe(0);
  });

  it('does not take others with it when its door throws, neither as it runs nor as it waits', () => {
    const { queue, enter, ended, lines, leave } = line();
    enter(1, fault);
    enter(2);
    leave();
    expect(ended).toEqual([[2, 'storageFull']]);
    queue.enter(KEY, { deadline, begin: () => undefined, failed: () => undefined });
    enter(3, fault);
    enter(4);
    queue.close();
    expect(ended.slice(1)).toEqual([[4, 'draining']]);
    expect(lines).toEqual(['a failed change was not answered', 'a failed change was not answered']);
  });
});
