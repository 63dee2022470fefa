import { SILENT_LOGGER } from '../../../telemetry/logger.js';
import { ServiceError } from '../../../errors/service-error.js';
import { ordersProgress, ProgressMarker } from './progress-marker.js';

describe('ordersProgress', () => {
  it.each([
    ['3.4.23', false],
    ['3.4.24', false],
    ['3.4.25', true],
    ['3.5.7', false],
    ['3.5.8', true],
    ['3.5.33', true],
    ['3.6.0-rc.0', true],
    ['3.10.1', true],
    ['4.0.0', true],
    ['3.3.27', false],
    ['unknown', false],
  ])('of etcd %s: %s', (version, expected) => {
    expect(ordersProgress(version)).toBe(expected);
  });
});

describe('ProgressMarker', () => {
  const answering = (answer: () => Promise<unknown>) => {
    let calls = 0;
    const read = <T>(): Promise<T> => {
      calls++;
      return answer() as Promise<T>;
    };
    return { marker: new ProgressMarker({ read }, '/marker', SILENT_LOGGER), count: () => calls };
  };

  it('writes one marker for all that wait, and covers what lies before it in the same history', async () => {
    const { marker, count } = answering(async () => ({ header: { revision: '7' } }));
    expect(marker.covers(1, 7)).toBe(false);
    expect(await Promise.all([marker.write(1), marker.write(1)])).toEqual([true, true]);
    expect(count()).toBe(1);
    expect([marker.covers(1, 7), marker.covers(1, 8), marker.covers(2, 7)]).toEqual([true, false, false]);
  });

  it('says that etcd is full, and nothing of other failures, which are tried again', async () => {
    const full = answering(() => Promise.reject(new ServiceError('storageFull')));
    expect(await full.marker.write(0)).toBe(false);
    const away = answering(() => Promise.reject(new ServiceError('storageUnavailable')));
    expect(await away.marker.write(0)).toBe(true);
    expect(away.marker.covers(0, 1)).toBe(false);
  });
});
