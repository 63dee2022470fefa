import fc from 'fast-check';
import { SignatureFault } from './signature-fault.js';
import { clockFault, parseSigningDate } from './signing-date.js';

describe('parseSigningDate', () => {
  it('reads what Date writes', () => {
    const dates = fc.date({
      min: new Date('0100-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59Z'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(dates, (date) => {
        const iso = date.toISOString().slice(0, 19);
        expect(parseSigningDate(`${iso.replace(/[-:]/g, '')}Z`)).toBe(Date.parse(`${iso}Z`));
      }),
    );
  });

  it.each([
    ...['20260229T000000Z', '20260431T000000Z', '20260001T000000Z', '20261301T000000Z', '20260100T000000Z'],
    ...['20260132T000000Z', '20260101T240000Z', '20260101T006000Z', '20260101T000060Z', '2026-01-01T00:00:00Z'],
    ...[
      '20260101T000000',
      '20260101t000000z',
      '20260101T000000.5Z',
      ' 20260101T000000Z',
      '20260101T000000Z\n',
      '',
      '２0260101T000000Z',
    ],
  ])('refuses %j', (text) => {
    expect(parseSigningDate(text)).toBeInstanceOf(SignatureFault);
  });
});

describe('clockFault', () => {
  it.each([
    [0, true],
    [1000, true],
    [1001, false],
    [-500, true],
    [-501, false],
  ])('of a signature that is %i ms old is null: %s', (age, isGood) => {
    expect(clockFault(10_000, 10_000 + age, 1000, 500) === null).toBe(isGood);
  });

  it('says how far the date is off', () => {
    const advice = 'sign anew, and compare the clocks';
    expect(clockFault(0, 421_000, 300_000, 300_000)).toEqual(
      new SignatureFault(
        'AUTH_110',
        `X-Amz-Date is 421 s older than the clock of this node, and may be 300 s: ${advice}`,
      ),
    );
    expect(clockFault(421_000, 0, 300_000, 60_000)?.reason).toContain(
      '421 s newer than the clock of this node, and may be 60 s',
    );
  });
});
