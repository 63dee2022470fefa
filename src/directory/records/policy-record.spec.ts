import fc from 'fast-check';
import { currentDocument, withCurrent, withVersion, type PolicyRecord } from './policy-record.js';

const added = (document: string) => ({ document, createdAtMs: 1, createdBy: 'admin' });

describe('the versions of a policy', () => {
  it('begin with 1, which counts', () => {
    const policy = withVersion(null, added('first'));
    expect(policy).toEqual({ versions: [{ version: 1, ...added('first') }], current: 1 });
    expect(currentDocument(policy)).toBe('first');
  });

  it('behave like a list of which five are kept, whatever is added and rolled back to', () => {
    const step = fc.oneof(
      fc.string().map((document) => ({ document })),
      fc.nat(20).map((back) => ({ back })),
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
        const all: string[] = [];
        let current = 0;
        let policy: PolicyRecord | null = null;
        for (const each of steps) {
          if ('document' in each) {
            policy = withVersion(policy, added(each.document));
            current = all.push(each.document);
          } else if (policy) {
            const kept = policy.versions.map(({ version }) => version);
            const before = policy;
            if (kept.includes(each.back)) policy = withCurrent(before, (current = each.back));
            else
              expect(() => withCurrent(before, each.back)).toThrow(
                `no version ${each.back}; it has ${kept.join(', ')}`,
              );
          }
          if (!policy) continue;
          const first = Math.max(1, all.length - 4);
          expect(policy.versions.map(({ version, document }) => [version, document])).toEqual(
            all.slice(-5).map((document, i) => [first + i, document]),
          );
          expect(policy.current).toBe(current);
          expect(currentDocument(policy)).toBe(all[current - 1]);
        }
      }),
    );
  });

  it('of more than 16 KiB are refused, in bytes', () => {
    expect(() => withVersion(null, added('ä'.repeat(8 * 1024)))).not.toThrow();
    expect(() => withVersion(null, added('ä'.repeat(8 * 1024) + ' '))).toThrow('16384 bytes at most');
  });
});
