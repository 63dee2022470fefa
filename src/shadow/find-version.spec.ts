import fc from 'fast-check';
import type { ShadowState } from '../document/shadow-document.js';
import { SYSTEM_CLOCK } from '../resilience/clock.js';
import { MemoryShadowStore } from '../store/memory/memory-shadow-store.js';
import { RevisionGone } from '../store/revision-gone.js';
import type { Changed, ShadowKey, ShadowStore } from '../store/shadow-store.js';
import { findVersion } from './find-version.js';

const KEY: ShadowKey = { tenant: 'acme', thing: 'lamp', name: null };
const OTHER: ShadowKey = { ...KEY, thing: 'other' };
const within = () => ({ deadline: performance.now() + 10_000 });

function setAt(at: number) {
  return (current: ShadowState | null): Changed => ({
    state: { version: (current?.version ?? 0) + 1, reported: { at }, metadata: {} },
    change: { kind: 'update', principal: 'me', at },
  });
}

/** The version, or why there is none. */
async function versionAt(store: ShadowStore, at: number): Promise<number | 'none' | 'gone'> {
  try {
    const { record } = await findVersion(store, KEY, { at }, within(), SYSTEM_CLOCK);
    return record?.state.version ?? 'none';
  } catch (error) {
    if (error instanceof RevisionGone) return 'gone';
    throw error;
  }
}

describe('the version of a time', () => {
  it('is the last one that was set by then, or gone with the history, whatever else has happened', async () => {
    const step = fc.record({ ours: fc.boolean(), laterMs: fc.integer({ min: 0, max: 3 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 20 }),
        fc.nat({ max: 25 }),
        async (steps, compacted) => {
          const store = new MemoryShadowStore();
          const versions: { at: number; revision: number }[] = [];
          let at = 100;
          for (const { ours, laterMs } of steps) {
            at += laterMs;
            const { position } = await store.update(ours ? KEY : OTHER, setAt(at), within());
            if (ours) versions.push({ at, revision: position.revision });
          }
          const head = store.position.revision;
          store.log.compactTo(Math.min(compacted, head));
          for (let asked = 99; asked <= at + 1; asked++) {
            const last = versions.findLastIndex((version) => version.at <= asked);
            const until = versions[last + 1]?.revision ?? head + 1;
            // The last revision at which it was so must still be there.
            const expected = until <= Math.min(compacted, head) ? 'gone' : last < 0 ? 'none' : last + 1;
            expect([asked, await versionAt(store, asked)]).toEqual([asked, expected]);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('is one whose next was set later, though clocks have gone back', async () => {
    const store = new MemoryShadowStore();
    const times = [100, 300, 200, 250, 150, 400];
    for (const at of times) await store.update(KEY, setAt(at), within());
    for (const asked of [100, 149, 150, 220, 299, 399]) {
      const version = await versionAt(store, asked);
      expect(times[Number(version) - 1]).toBeLessThanOrEqual(asked);
      expect(times[Number(version)]).toBeGreaterThan(asked);
    }
  });
});
