import { Histogram } from '../../../telemetry/recorder.js';
import { FeedLag } from './feed-lag.js';

function setup() {
  const histogram = new Histogram({ name: 'x', help: 'X.' });
  const sum = () => histogram.samples()?.find(({ suffix }) => suffix === '_sum')?.value;
  return { lag: new FeedLag(histogram), told: () => [histogram.count(0), sum()] };
}

describe('FeedLag', () => {
  it('is the time from the answer to a batch until the feed has its revision', () => {
    const { lag, told } = setup();
    lag.reached(5, 0);
    lag.committed(7, 1000);
    lag.committed(9, 1500);
    lag.reached(8, 3000);
    expect(told()).toEqual([1, 2]);
    lag.reached(9, 3500);
    expect(told()).toEqual([2, 4]);
  });

  it('is 0 where the feed was first, and is not told of what nobody follows', () => {
    const { lag, told } = setup();
    lag.committed(3, 0);
    expect(told()).toEqual([0, 0]);
    lag.reached(6, 1000);
    lag.committed(6, 2000);
    expect(told()).toEqual([1, 0]);
  });

  it('forgets the oldest of too many, and all when revisions begin anew', () => {
    const { lag, told } = setup();
    lag.reached(1, 0);
    for (let revision = 2; revision < 2002; revision++) lag.committed(revision, 0);
    lag.reached(2001, 1000);
    expect(told()).toEqual([1024, 1024]);
    lag.committed(3000, 0);
    lag.reset();
    lag.reached(4000, 9000);
    expect(told()).toEqual([1024, 1024]);
  });
});
