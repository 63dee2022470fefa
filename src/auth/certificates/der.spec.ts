import fc from 'fast-check';
import * as x509 from '../../../test/harness/x509.js';
import { readCertificate } from './certificate-facts.js';
import { DerError, DerReader, TAG, readBits, readBoolean, readTime } from './der.js';

const bytes = (digits: string): Buffer => Buffer.from(digits.replaceAll(' ', ''), 'hex');
const read = (digits: string): DerReader => new DerReader(bytes(digits));

describe('DerReader', () => {
  it('reads what was written', () => {
    const element = fc.tuple(fc.integer({ min: 0, max: 0x1e }), fc.uint8Array({ maxLength: 70_000 }));
    fc.assert(
      fc.property(fc.array(element, { maxLength: 5 }), (elements) => {
        const reader = new DerReader(
          Buffer.concat(elements.map(([tag, content]) => x509.der(tag, Buffer.from(content)))),
        );
        const found = [...reader.rest()].map(({ tag, content }) => [tag, content.toString('hex')]);
        reader.end();
        expect(found).toEqual(elements.map(([tag, content]) => [tag, Buffer.from(content).toString('hex')]));
      }),
      { numRuns: 50 },
    );
  });

  it.each<[string, string]>([
    ['nothing', ''],
    ['no length', '02'],
    ['a content that is cut off', '02 02 00'],
    ['an indefinite length', '30 80 00 00'],
    ['a length of one byte in two', '02 81 01 00'],
    ['a length of one byte in three', `02 82 00 80 ${'00'.repeat(128)}`],
    ['a length of four bytes', '02 84 00 00 00 01 00'],
    ['the reserved length', '02 ff 00'],
    ['a length that is cut off', '02 82 01'],
    ['a long tag', '1f 81 01 00'],
    ['another tag', '04 01 00'],
  ])('refuses %s', (_title, digits) => {
    expect(() => read(digits).next(TAG.integer)).toThrow(DerError);
  });

  it('refuses bytes behind the end', () => {
    const reader = read('02 01 00 00');
    reader.next();
    expect(() => reader.end()).toThrow(DerError);
  });

  it.each(['01 01 01', '01 00', '01 02 ff ff', '02 01 ff'])('%s is no BOOLEAN', (digits) => {
    expect(() => readBoolean(read(digits).next())).toThrow(DerError);
  });

  it.each(['03 00', '03 01 01', '03 02 08 00', '03 02 01 01', '03 02 07 40'])('%s is no BIT STRING', (digits) => {
    expect(() => readBits(read(digits).next())).toThrow(DerError);
  });

  it.each<[string, number, number | null]>([
    ['490101000000Z', TAG.utcTime, Date.UTC(2049, 0, 1)],
    ['500101000000Z', TAG.utcTime, Date.UTC(1950, 0, 1)],
    ['240229235959Z', TAG.utcTime, Date.UTC(2024, 1, 29, 23, 59, 59)],
    ['99991231235959Z', TAG.generalizedTime, Date.UTC(9999, 11, 31, 23, 59, 59)],
    ['250229000000Z', TAG.utcTime, null],
    ['251301000000Z', TAG.utcTime, null],
    ['250100000000Z', TAG.utcTime, null],
    ['250101240000Z', TAG.utcTime, null],
    ['250101006000Z', TAG.utcTime, null],
    ['2501010000Z', TAG.utcTime, null],
    ['250101000000+0000', TAG.utcTime, null],
    ['20250101000000.5Z', TAG.generalizedTime, null],
    ['20250101000000Z', TAG.utcTime, null],
    ['20250101000000Z\n', TAG.generalizedTime, null],
    ['250101000000Z', TAG.octetString, null],
  ])('time %j', (text, tag, expected) => {
    const parse = (): number => readTime({ tag, content: Buffer.from(text), whole: Buffer.alloc(0) });
    if (expected === null) expect(parse).toThrow(DerError);
    else expect(parse()).toBe(expected);
  });
});

describe('readCertificate', () => {
  const { der } = x509.issue(null, { extensions: [x509.basicConstraints(false), x509.keyUsage(0x80)] });

  it('refuses what is cut off anywhere, and what follows', () => {
    for (let length = 0; length < der.length; length++) {
      expect(() => readCertificate(der.subarray(0, length))).toThrow(DerError);
    }
    expect(() => readCertificate(Buffer.concat([der, Buffer.from([0])]))).toThrow(DerError);
    expect(() => readCertificate(der)).not.toThrow();
  });

  it('throws nothing but DerError, whatever it is given', () => {
    const changes = fc.array(fc.tuple(fc.nat(der.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
    let refused = 0;
    fc.assert(
      fc.property(changes, (list) => {
        const changed = Buffer.from(der);
        for (const [at, value] of list) changed[at] = value;
        try {
          readCertificate(changed);
        } catch (error) {
          refused++;
          expect(error).toBeInstanceOf(DerError);
        }
      }),
      { numRuns: 2000 },
    );
    expect(refused).toBeGreaterThan(100);
  });
});
