import { setTimeout as pause } from 'node:timers/promises';
import { spread } from '../statistics.js';
import type { Sample } from './sample.js';

/**
 * Calls `send` at a fixed rate whatever the answers do, and measures from the moment at which each call was due: a
 * system that falls behind cannot hide it by slowing the load down. The first quarter of the window does not count.
 *
 * @param perSecond calls per second
 * @param seconds length of the window
 * @returns latencies in milliseconds; a failed call throws
 */
export async function openLoop(
  perSecond: number,
  seconds: number,
  send: (index: number) => Promise<unknown>,
): Promise<Sample> {
  const start = performance.now();
  const total = Math.ceil(perSecond * seconds);
  const running: Promise<number>[] = [];
  const next = (): void => {
    const call = timed(send, running.length, start + (running.length / perSecond) * 1000);
    // It is waited for at the end, and may fail before.
    call.catch(() => undefined);
    running.push(call);
  };
  while (running.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - start) / 1000) * perSecond));
    while (running.length < due) next();
    await pause(1);
  }
  const latencies = await Promise.all(running);
  const { mean, p50, p99 } = spread(latencies.slice(Math.floor(total / 4)));
  return { perSecond: total / ((performance.now() - start) / 1000), mean, p50, p99 };
}

async function timed(send: (index: number) => Promise<unknown>, index: number, dueAt: number): Promise<number> {
  await send(index);
  return performance.now() - dueAt;
}
