import { applyDelete } from './apply-delete.js';
import type { ShadowState } from './shadow-document.js';

const context = { now: 1_700_000_000_999, displayName: 't~s' };

describe('applyDelete', () => {
  it('remembers the version of the deleted document and the second', () => {
    const document: ShadowState = { version: 3, desired: { a: 1 }, metadata: {} };
    expect(applyDelete(document, context)).toEqual({ deleted: true, version: 3, deletedAt: 1_700_000_000 });
  });

  it.each<[string, ShadowState | null]>([
    ['nothing', null],
    ['what is deleted', { deleted: true, version: 3, deletedAt: 1_700_000_000 }],
  ])('refuses %s', (_what, current) => {
    expect(() => applyDelete(current, context)).toThrow(
      expect.objectContaining({ status: 404, message: "No shadow exists with name: 't~s'" }),
    );
  });
});
