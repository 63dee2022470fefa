import fc from 'fast-check';
import { both, firstOf, minus, plus, someOf, type Few } from './few.js';

function valuesOf(few: Few<number>): number[] {
  const values: number[] = [];
  someOf(few, (value) => {
    values.push(value);
    return false;
  });
  return values;
}

describe('few values', () => {
  it('property: are those that came and did not go, in their order, however many there are', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(40), { maxLength: 120 }), (toggled) => {
        let few: Few<number> = null;
        const model = new Set<number>();
        for (const value of toggled) {
          if (model.delete(value)) few = minus(few, value);
          else {
            few = plus(few, value);
            model.add(value);
          }
          expect(valuesOf(few)).toEqual([...model]);
          expect(few === null).toBe(model.size === 0);
          if (few !== null) expect(firstOf<number>(few)).toBe([...model][0]);
        }
        expect(valuesOf(minus(few, 99))).toEqual([...model]);
        expect(valuesOf(both(few, both<number>(null, 50)))).toEqual([...model, 50]);
      }),
    );
  });

  it('stop a visit that has found what it looked for', () => {
    let visits = 0;
    const isTwo = (value: number): boolean => (visits++, value === 2);
    expect([someOf([1, 2, 3], isTwo), visits]).toEqual([true, 2]);
    expect([someOf(null, isTwo), someOf(1, isTwo), someOf(2, isTwo)]).toEqual([false, false, true]);
  });

  it('are visited to the end while they go, also when there are many', () => {
    for (const count of [3, 100]) {
      let few: Few<number> = null;
      for (let value = 0; value < count; value++) few = plus(few, value);
      let visits = 0;
      someOf(few, (value) => {
        few = minus(few, value);
        visits++;
        return false;
      });
      expect([visits, few]).toEqual([count, null]);
    }
  });
});
