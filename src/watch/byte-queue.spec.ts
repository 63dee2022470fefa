import fc from 'fast-check';
import { ByteQueue, type Piece } from './byte-queue.js';

describe('ByteQueue', () => {
  it('property: every piece that has not been dropped is what was added', () => {
    const sizes = fc.oneof(
      fc.integer({ min: 0, max: 2_000 }),
      fc.integer({ min: 0, max: 100 * 1024 }),
      fc.constantFrom(256 * 1024, 256 * 1024 + 1, 700 * 1024),
    );
    const steps = fc.array(fc.oneof({ weight: 2, arbitrary: sizes }, fc.constant('drop' as const)), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (all) => {
        const queue = new ByteQueue();
        const held: [Piece, number, number][] = [];
        let mark = 0;
        for (const step of all) {
          if (step === 'drop') {
            const [first] = held.splice(0, 1);
            if (first) queue.drop(first[0]);
          } else {
            mark = (mark + 1) % 256;
            const bytes = Buffer.alloc(step, mark);
            held.push([queue.add(bytes), step, mark]);
            bytes.fill(0);
          }
        }
        const wrong = held.filter(([piece, size, filled]) => !queue.read(piece).equals(Buffer.alloc(size, filled)));
        expect(wrong).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it('uses its memory again', () => {
    const queue = new ByteQueue();
    const slabs = new Set<unknown>();
    const held: Piece[] = [];
    for (let i = 0; i < 10_000; i++) {
      const piece = queue.add(Buffer.alloc(1_000));
      slabs.add(piece.slab);
      held.push(piece);
      if (held.length > 500) queue.drop(held.shift()!);
    }
    expect(slabs.size).toBeLessThanOrEqual(4);
  });

  it('gives a copy: what is read stays when its place is used again', () => {
    const queue = new ByteQueue();
    const piece = queue.add(Buffer.from('first'));
    const read = queue.read(piece);
    queue.drop(piece);
    queue.add(Buffer.from('other'));
    expect(read.toString()).toBe('first');
  });
});
