import fc from 'fast-check';
import { editDistance, nearestName } from './nearest-name.js';

const text = fc.string({ maxLength: 12 });

describe('editDistance', () => {
  it.each([
    ['', '', 0],
    ['', 'abc', 3],
    ['kitten', 'sitting', 3],
    ['PORT', 'PROT', 2],
    ['a', 'a', 0],
  ])('%j to %j is %i', (a, b, distance) => expect(editDistance(a, b)).toBe(distance));

  it('is a distance', () => {
    fc.assert(fc.property(text, text, (a, b) => expect(editDistance(a, b)).toBe(editDistance(b, a))));
    fc.assert(fc.property(text, text, (a, b) => expect(editDistance(a, b) === 0).toBe(a === b)));
    fc.assert(
      fc.property(text, text, text, (a, b, c) =>
        expect(editDistance(a, c)).toBeLessThanOrEqual(editDistance(a, b) + editDistance(b, c)),
      ),
    );
  });
});

describe('nearestName', () => {
  it('takes the nearest, or none when all are far away', () => {
    expect(nearestName('LIHGT', ['NIGHT', 'LIGHT', 'LIGHTS'])).toBe('LIGHT');
    expect(nearestName('SOMETHING', ['UMBRELLA'])).toBeNull();
    expect(nearestName('x'.repeat(100_000), ['LIGHT'])).toBeNull();
  });
});
