import { BackOff } from './back-off.js';

describe('BackOff', () => {
  const range = { first: 100, longest: 2_000 };

  it('doubles up to its limit and starts again after a reset', () => {
    const backOff = new BackOff(range, () => 0.5);
    expect(Array.from({ length: 7 }, () => backOff.next())).toEqual([100, 200, 400, 800, 1600, 2000, 2000]);
    backOff.reset();
    expect(backOff.next()).toBe(100);
  });

  it('varies each pause by half of it either way', () => {
    expect(new BackOff(range, () => 0).next()).toBe(50);
    expect(new BackOff(range, () => 1).next()).toBe(150);
  });

  it('stays finite however often it fails', () => {
    const backOff = new BackOff(range, () => 0.5);
    for (let n = 0; n < 5_000; n++) backOff.next();
    expect(backOff.next()).toBe(2_000);
  });
});
