import { X509Certificate } from 'node:crypto';
import * as x509 from '../../../test/harness/x509.js';
import { CaRegistry } from './ca-registry.js';
import { DerReader, TAG } from './der.js';
import { checkDevice } from './device-certificate.js';
import { fingerprintOf, twinFingerprintOf } from './fingerprint.js';
import { Revocations, normalFingerprint } from './revocations.js';

/** The same certificate with the other form of its signature. */
function twinOf(der: Buffer, order: bigint): Buffer {
  const [signed, algorithm, signature] = [...new DerReader(der).enter(TAG.sequence).rest()];
  const [r, s] = [...new DerReader(signature!.content.subarray(1)).enter(TAG.sequence).rest()];
  const other = (order - BigInt(`0x${s!.content.toString('hex')}`)).toString(16);
  const digits = Buffer.from(other.padStart(other.length + (other.length % 2), '0'), 'hex');
  const integer = x509.der(0x02, digits[0]! >= 0x80 ? Buffer.concat([Buffer.from([0]), digits]) : digits);
  const bits = x509.der(0x03, Buffer.from([0]), x509.sequence(r!.whole, integer));
  return x509.sequence(signed!.whole, algorithm!.whole, bits);
}

describe('the twin of a certificate', () => {
  it.each([
    ['P-256', 'sha256'],
    ['P-384', 'sha384'],
    ['P-521', 'sha512'],
  ] as const)('of %s is good for OpenSSL, and revoked with it', (curve, digest) => {
    const ca = x509.issueAuthority({ keys: x509.ecKeys(curve), digest });
    const record = {
      tenant: 'acme',
      pem: ca.pem,
      nameFrom: 'commonName',
      isDisabled: false,
      registersAtFirstSight: false,
    } as const;
    const authorities = CaRegistry.of([{ ...record, registeredAtMs: 1 }]);
    const order = authorities.candidates(ca.subject.toString('latin1'), null)[0]!.curveOrder!;
    // Some signatures are shorter than others.
    for (let round = 0; round < 20; round++) {
      const { der } = x509.issue(ca, { digest });
      const twin = twinOf(der, order);
      expect(twin.equals(der)).toBe(false);
      expect(new X509Certificate(twin).verify(ca.publicKey)).toBe(true);
      expect(twinFingerprintOf(der, order)).toBe(fingerprintOf(twin));
      expect(twinFingerprintOf(twin, order)).toBe(fingerprintOf(der));
      const trust = (fingerprint: string): Parameters<typeof checkDevice>[1] => ({
        ...{ authorities, skewMs: 0 },
        revocations: Revocations.of([{ kind: 'certificate', tenant: 'acme', fingerprint }]),
      });
      const evaded = checkDevice(new X509Certificate(twin), trust(fingerprintOf(der)), Date.now());
      expect(evaded).toMatchObject({ kind: 'fault', fault: { reason: 'revoked' } });
      const other = checkDevice(new X509Certificate(twin), trust(fingerprintOf(ca.der)), Date.now());
      expect(other).toMatchObject({ kind: 'device' });
    }
  });

  it('is none for RSA and Ed25519', () => {
    expect(twinFingerprintOf(x509.issue(null).der, null)).toBeNull();
  });
});

describe('a fingerprint that is given', () => {
  const digits = 'ab'.repeat(32);
  it.each<[string, string | null]>([
    [digits, digits],
    [digits.toUpperCase(), digits],
    [digits.toUpperCase().replace(/..(?!$)/g, '$&:'), digits],
    [digits.slice(1), null],
    [`${digits}0`, null],
    [digits.replace('a', 'g'), null],
    ['', null],
    ['a'.repeat(1_000_000), null],
  ])('%.70s', (given, expected) => {
    expect(normalFingerprint(given)).toBe(expected);
  });
});
