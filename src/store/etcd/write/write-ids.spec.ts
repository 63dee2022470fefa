import { WriteIds } from './write-ids.js';

describe('write ids', () => {
  it('are ten characters that need no quoting, each another', () => {
    const ids = new WriteIds();
    const made = Array.from({ length: 100_000 }, () => ids.next());
    expect(new Set(made).size).toBe(made.length);
    expect(made.every((id) => /^[\w-]{10}$/.test(id))).toBe(true);
    expect(new Set(made.map((id) => id.slice(0, 6))).size).toBe(1);
  });

  it('take another prefix before the count comes round', () => {
    const ids = new WriteIds(100);
    const made = Array.from({ length: 1_000 }, () => ids.next());
    expect(new Set(made.map((id) => id.slice(0, 6))).size).toBe(10);
    expect(new Set(made).size).toBe(1_000);
  });

  it('of two processes differ', () => {
    expect(new WriteIds().next()).not.toBe(new WriteIds().next());
  });
});
