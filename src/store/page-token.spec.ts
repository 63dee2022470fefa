import fc from 'fast-check';
import { ServiceError } from '../errors/service-error.js';
import { bucketOf } from './bucket.js';
import { decodeNamePage, decodeThingPage, encodeBucketPage, encodeNamePage, encodeThingPage } from './page-token.js';

const names = fc.string({ unit: fc.constantFrom(...'abzAZ09:_-'), minLength: 1, maxLength: 64 });

describe('page tokens', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(names, (name) => {
        expect(decodeNamePage(encodeNamePage(name))).toBe(name);
        expect(decodeThingPage(encodeThingPage('t', name), 't')).toEqual({ bucket: bucketOf('t', name), thing: name });
      }),
    );
    for (const bucket of [0, 7, 255]) {
      expect(decodeThingPage(encodeBucketPage(bucket), 't')).toEqual({ bucket, thing: '' });
    }
  });

  it('are refused when anything about them was changed', () => {
    const refused = (token: string): boolean => {
      try {
        decodeThingPage(token, 't');
        return false;
      } catch (error) {
        return error instanceof ServiceError && error.code === 'invalidRequest';
      }
    };
    const good = encodeThingPage('t', 'thing');
    fc.assert(
      fc.property(fc.string(), (tail) => fc.pre(tail !== '') === undefined && expect(refused(good + tail)).toBe(true)),
    );
    fc.assert(fc.property(fc.string(), (token) => expect(refused(token)).toBe(true)));
    expect(refused(encodeThingPage('another', 'thing'))).toBe(true);
    expect(refused(encodeNamePage('thing'))).toBe(true);
    expect(refused(encodeBucketPage(256))).toBe(true);
  });
});
