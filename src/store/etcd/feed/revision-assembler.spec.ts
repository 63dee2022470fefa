import fc from 'fast-check';
import { watchEvents, type EventContent } from '../../../../test/harness/watch-events.js';
import { RevisionAssembler, type RawRevision } from './revision-assembler.js';
import type { WatchEvent } from './watch-event.js';

const event = (revision: number, key: string, type: 'Put' | 'Delete' = 'Put'): EventContent => ({
  revision,
  key,
  isDelete: type === 'Delete',
});

const plain = (revisions: readonly RawRevision[]) =>
  revisions.map(({ revision, puts }) => [revision, puts.map(({ key }) => key.toString())]);

/** One response of a watch, whose buffer is used again as soon as it has been taken. */
class Responses {
  constructor(private readonly assembler: RevisionAssembler) {}

  take(contents: readonly EventContent[], more: boolean): RawRevision[] {
    const events: WatchEvent[] = watchEvents(contents);
    const bytes = events[0]?.bytes;
    try {
      return this.assembler.take(events, more);
    } finally {
      bytes?.fill('?');
    }
  }
}

describe('RevisionAssembler', () => {
  it('holds a revision back until it is whole', () => {
    const assembler = new RevisionAssembler(5);
    const responses = new Responses(assembler);
    expect(responses.take([event(6, 'a'), event(6, 'b')], true)).toEqual([]);
    expect(assembler.cursor).toBe(5);
    expect(plain(responses.take([event(6, 'c'), event(7, 'd')], true))).toEqual([[6, ['a', 'b', 'c']]]);
    expect(assembler.cursor).toBe(6);
    expect(plain(responses.take([event(7, 'e')], false))).toEqual([[7, ['d', 'e']]]);
  });

  it('drops what was there already, and reads deletes as revisions without records', () => {
    const assembler = new RevisionAssembler(5);
    const responses = new Responses(assembler);
    const events = [event(4, 'x'), event(5, 'x'), event(6, 'gone', 'Delete'), event(7, 'a')];
    expect(plain(responses.take(events, false))).toEqual([
      [6, []],
      [7, ['a']],
    ]);
    expect(responses.take(events, false)).toEqual([]);
    const [deletion] = responses.take([event(8, 'gone', 'Delete')], false);
    expect(deletion?.deletes.map(String)).toEqual(['gone']);
  });

  it('moves with a progress notice, but never in the middle of a revision or back', () => {
    const assembler = new RevisionAssembler(5);
    const responses = new Responses(assembler);
    expect(plain(assembler.progress(9))).toEqual([[9, []]]);
    expect(assembler.progress(9)).toEqual([]);
    responses.take([event(10, 'a')], true);
    expect(assembler.progress(12)).toEqual([]);
    expect(plain(responses.take([event(10, 'b')], false))).toEqual([[10, ['a', 'b']]]);
  });

  it('refuses revisions that go backwards', () => {
    const assembler = new RevisionAssembler(5);
    const responses = new Responses(assembler);
    expect(() => responses.take([event(8, 'a'), event(7, 'b')], false)).toThrow('revision 7 came after 8');
  });

  it('property: however responses are cut, whole revisions come out in order', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(sizes, fc.infiniteStream(fc.boolean()), (revisions, cuts) => {
        const events = revisions.flatMap((size, i) =>
          Array.from({ length: size }, (_, n) => event(i + 1, `${i + 1}/${n}`)),
        );
        const assembler = new RevisionAssembler(0);
        const responses = new Responses(assembler);
        const out: RawRevision[] = [];
        let part: EventContent[] = [];
        for (const [i, one] of events.entries()) {
          part.push(one);
          const last = i === events.length - 1;
          if (!last && !cuts.next().value) continue;
          out.push(...responses.take(part, !last));
          part = [];
        }
        expect(plain(out)).toEqual(
          revisions.map((size, i) => [i + 1, Array.from({ length: size }, (_, n) => `${i + 1}/${n}`)]),
        );
      }),
    );
  });
});
