import { nearestName } from './nearest-name.js';

describe('nearestName', () => {
  it('takes the nearest, or none when all are far away', () => {
    expect(nearestName('LIHGT', ['NIGHT', 'LIGHT', 'LIGHTS'])).toBe('LIGHT');
    expect(nearestName('SOMETHING', ['UMBRELLA'])).toBeNull();
    expect(nearestName('x'.repeat(100_000), ['LIGHT'])).toBeNull();
  });
});
