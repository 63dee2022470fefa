import { MAX_IN_FLIGHT, RequestQueue, type Acknowledgement } from './request-queue.js';

function controlled() {
  const ends: ((how: Acknowledgement) => void)[] = [];
  const settled: string[] = [];
  const queue = new RequestQueue();
  const push = (name: string): void =>
    queue.push(
      () => new Promise((resolve) => ends.push(resolve)),
      (how) => settled.push(`${name} ${how}`),
    );
  const end = async (i: number, how: Acknowledgement = 'done'): Promise<void> => {
    ends[i]?.(how);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { queue, push, end, ends, settled };
}

describe('RequestQueue', () => {
  it('works side by side and settles in the order of arrival', async () => {
    const { push, end, ends, settled, queue } = controlled();
    for (const name of ['a', 'b', 'c']) push(name);
    expect(ends).toHaveLength(3);
    await end(2, 'unpublishable');
    await end(1);
    expect(settled).toEqual([]);
    await end(0, 'withheld');
    expect(settled).toEqual(['a withheld', 'b done', 'c unpublishable']);
    expect(queue.size).toBe(0);
  });

  it('works on so many at once, and says when it is full', async () => {
    const { push, end, ends, queue } = controlled();
    for (let i = 0; i < MAX_IN_FLIGHT - 1; i++) push(String(i));
    expect(queue.isFull).toBe(false);
    for (let i = 0; i < 3; i++) push(`more ${i}`);
    expect(queue.isFull).toBe(true);
    expect(ends).toHaveLength(MAX_IN_FLIGHT);
    await end(5);
    expect(ends).toHaveLength(MAX_IN_FLIGHT + 1);
    await end(0);
    await end(1);
    await end(2);
    expect(queue.size).toBe(MAX_IN_FLIGHT - 1);
    expect(queue.isFull).toBe(false);
  });
});
