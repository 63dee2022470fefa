import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { anyCharacter } from '../../../test/harness/any-character.js';
import * as x509 from '../../../test/harness/x509.js';
import type { AuthorityRecord } from './authority.js';
import { CaRegistry } from './ca-registry.js';
import { CERTIFICATE_FAULTS } from './certificate-fault.js';
import { checkDevice, judgeDevice, type DeviceIdentity, type Trust } from './device-certificate.js';
import { Revocations, revocationOf, type RevocationRecord } from './revocations.js';

const DAY_MS = 86_400_000;
const ca = x509.issueAuthority({ notBefore: Date.now() - 10 * DAY_MS, notAfter: Date.now() + 10 * DAY_MS });
const { cn, nameOf, extension, sequence } = x509;

const recordOf = ({ pem }: x509.Issued, more: Partial<AuthorityRecord> = {}): AuthorityRecord => ({
  ...{
    tenant: 'acme',
    pem,
    nameFrom: 'commonName',
    isDisabled: false,
    registersAtFirstSight: false,
    registeredAtMs: 1,
  },
  ...more,
});
const trustIn = (records: readonly AuthorityRecord[], revoked: readonly RevocationRecord[] = []): Trust => ({
  authorities: CaRegistry.of(records),
  revocations: Revocations.of(revoked),
  skewMs: 30_000,
});
const TRUST = trustIn([recordOf(ca)]);

/** The reason of a refusal, or the thing. */
function outcome(issued: x509.Issued, trust = TRUST, nowMs = Date.now()): string {
  const check = checkDevice(new X509Certificate(issued.der), trust, nowMs);
  return check.kind === 'device' ? `thing ${check.device.thing}` : check.fault.reason;
}

function deviceOf(issued: x509.Issued, trust = TRUST): DeviceIdentity {
  const check = checkDevice(new X509Certificate(issued.der), trust, Date.now());
  if (check.kind === 'fault') throw check.fault;
  return check.device;
}

const issue = (parts: x509.CertificateParts = {}): x509.Issued => x509.issue(ca, parts);
const named = (...pairs: Buffer[]): x509.Issued => issue({ subject: nameOf(...pairs) });
const extended = (...extensions: Buffer[]): x509.Issued => issue({ extensions });

describe('a certificate of a device', () => {
  const all = [x509.basicConstraints(false), x509.keyUsage(0x80), x509.extendedKeyUsage(x509.CLIENT_AUTH_ID)];

  it.each<[string, () => x509.Issued, string]>([
    ['without extensions', () => issue(), 'thing lamp-1'],
    ['with all extensions', () => extended(...all, x509.authorityKeyId(x509.keyIdOf(ca.publicKey))), 'thing lamp-1'],
    ['with a PrintableString', () => named(cn('lamp', 0x13)), 'thing lamp'],
    ['with other parts in its name', () => named(x509.organization('door'), cn('lamp')), 'thing lamp'],
    ['with all characters of names', () => named(cn('aZ09:_-')), 'thing aZ09:_-'],
    ['with a name of 128 characters', () => named(cn('x'.repeat(128))), `thing ${'x'.repeat(128)}`],
    ['with RSA', () => issue({ keys: x509.rsaKeys(2048) }), 'thing lamp-1'],
    ['with P-384', () => issue({ keys: x509.ecKeys('P-384') }), 'thing lamp-1'],
    ['with several usages', () => extended(x509.keyUsage(0xa0), x509.extendedKeyUsage(x509.SERVER_AUTH_ID, x509.CLIENT_AUTH_ID)), 'thing lamp-1'], // prettier-ignore
    ['with an unknown extension that is not critical', () => extended(extension('2a0304', sequence())), 'thing lamp-1'],
    ['of a foreign authority', () => x509.issue(x509.issueAuthority()), 'unknownIssuer'],
    [
      'of a foreign authority of another name',
      () => x509.issue(x509.issueAuthority({ name: 'Other' })),
      'unknownIssuer',
    ],
    ['signed by itself', () => x509.issue(null), 'unknownIssuer'],
    ['signed by itself in the name of the authority', () => x509.issue(null, { subject: ca.subject }), 'unknownIssuer'],
    ['with the key identifier of another authority', () => extended(x509.authorityKeyId(Buffer.alloc(20))), 'unknownIssuer'], // prettier-ignore
    ['expired', () => issue({ notAfter: Date.now() - 60_000 }), 'expired'],
    ['expired within the skew', () => issue({ notAfter: Date.now() - 10_000 }), 'thing lamp-1'],
    ['not yet valid', () => issue({ notBefore: Date.now() + 60_000 }), 'notYetValid'],
    ['not yet valid within the skew', () => issue({ notBefore: Date.now() + 10_000 }), 'thing lamp-1'],
    ['of an authority below ours', () => extended(x509.basicConstraints(true)), 'isAuthority'],
    ['that may sign certificates', () => extended(x509.keyUsage(0x84)), 'isAuthority'],
    ['of our authority itself', () => ca, 'isAuthority'],
    ['without the key usage', () => extended(x509.keyUsage(0x20)), 'keyUsage'],
    ['with an empty key usage', () => extended(x509.keyUsage(0)), 'keyUsage'],
    ['for servers only', () => extended(x509.extendedKeyUsage(x509.SERVER_AUTH_ID)), 'extendedKeyUsage'],
    ['for no usage', () => extended(x509.extendedKeyUsage()), 'extendedKeyUsage'],
    ['with an unknown critical extension', () => extended(extension('2a0304', sequence(), true)), 'unknownCritical'],
    ['with two names', () => named(cn('lamp'), cn('door')), 'manyNames'],
    ['with two names in one set', () => issue({ subject: x509.oneSet(cn('lamp'), cn('door')) }), 'manyNames'],
    ['with one name twice', () => named(cn('lamp'), cn('lamp')), 'manyNames'],
    ['without a name', () => named(x509.organization('lamp')), 'noName'],
    ['with an empty subject', () => named(), 'noName'],
    ['with a line feed', () => named(cn('lamp\nCN=door')), 'invalidName'],
    ['with a line feed at the end', () => named(cn('lamp\n')), 'invalidName'],
    ['with a NUL', () => named(cn('lamp\0.example')), 'invalidName'],
    ['with a look-alike', () => named(cn('l\u0430mp')), 'invalidName'],
    ['with a byte order mark', () => named(cn('\ufefflamp')), 'invalidName'],
    ['with bytes above ASCII', () => named(cn(Buffer.from([0x6c, 0xe1, 0x6d, 0x70]), 0x13)), 'invalidName'],
    ['with UTF-16', () => named(cn(Buffer.from('\0l\0a', 'latin1'), 0x1e)), 'invalidName'],
    ['with a T61String', () => named(cn('lamp', 0x14)), 'invalidName'],
    ['with a slash', () => named(cn('lamp/door')), 'invalidName'],
    ['with wildcards', () => named(cn('+')), 'invalidName'],
    ['with a dollar', () => named(cn('$aws')), 'invalidName'],
    ['with an empty name', () => named(cn('')), 'invalidName'],
    ['with a name that is too long', () => named(cn('x'.repeat(129))), 'invalidName'],
    ['with a name of an authority set to common names in the alternative names only', () => issue({ subject: nameOf(), extensions: [x509.alternativeNames(x509.dnsName('lamp'))] }), 'noName'], // prettier-ignore
    ['with SHA-1', () => issue({ digest: 'sha1' }), 'weakSignature'],
    ['with RSA of 1024 bits', () => issue({ keys: x509.rsaKeys(1024) }), 'weakKey'],
    ['with another curve', () => issue({ keys: x509.ecKeys('secp256k1') }), 'weakKey'],
    ['with an extension twice', () => extended(x509.keyUsage(0x80), x509.keyUsage(0x80)), 'malformed'],
    ['with no such day', () => issue({ validity: sequence(x509.der(0x17, Buffer.from('260230000000Z')), x509.der(0x17, Buffer.from('300101000000Z'))) }), 'malformed'], // prettier-ignore
    ['with a time of another zone', () => issue({ validity: sequence(x509.der(0x17, Buffer.from('2601010000+0100')), x509.der(0x17, Buffer.from('300101000000Z'))) }), 'malformed'], // prettier-ignore
    ['with another algorithm outside of the signed part', () => issue({ outerAlgorithm: sequence(x509.der(6, Buffer.from('2a8648ce3d040303', 'hex'))) }), 'malformed'], // prettier-ignore
    ['that is too long', () => extended(extension('2a0304', x509.octets(Buffer.alloc(20_000)))), 'malformed'],
  ])('%s', (_title, made, expected) => {
    expect(outcome(made())).toBe(expected);
  });

  it('of UTCTime, with its two digits of the year', () => {
    const utc = (text: string): Buffer => x509.der(0x17, Buffer.from(text));
    const certificate = issue({ validity: sequence(utc('500101000000Z'), utc('491231235959Z')) });
    expect(deviceOf(certificate)).toMatchObject({
      notBeforeMs: Date.UTC(1950, 0, 1),
      notAfterMs: Date.UTC(2049, 11, 31, 23, 59, 59),
    });
  });

  it('is the fingerprint that OpenSSL shows', () => {
    const certificate = issue();
    const shown = new X509Certificate(certificate.der);
    expect(deviceOf(certificate)).toMatchObject({
      fingerprint: shown.fingerprint256.replaceAll(':', '').toLowerCase(),
      serialNumber: shown.serialNumber.toLowerCase(),
      caId: new X509Certificate(ca.der).fingerprint256.replaceAll(':', '').toLowerCase(),
      tenant: 'acme',
      registersAtFirstSight: false,
    });
  });

  it('says nothing of itself in a refusal', () => {
    const check = checkDevice(new X509Certificate(named(cn('secret\nname')).der), TRUST, Date.now());
    expect(check).toMatchObject({
      kind: 'fault',
      fault: { code: 'AUTH_109', message: CERTIFICATE_FAULTS.invalidName },
    });
  });

  it('with one byte changed is never one', () => {
    const whole = extended(...all, x509.authorityKeyId(x509.keyIdOf(ca.publicKey)));
    let readable = 0;
    for (let at = 0; at < whole.der.length; at++) {
      const changed = Buffer.from(whole.der);
      changed[at]! ^= 1 << (at % 8);
      let certificate: X509Certificate;
      try {
        certificate = new X509Certificate(changed);
      } catch {
        continue;
      }
      readable++;
      expect(checkDevice(certificate, TRUST, Date.now())).toMatchObject({ kind: 'fault' });
    }
    expect(readable).toBeGreaterThan(100);
  });

  it('has the thing of its name exactly when that is a thing name', () => {
    const name = fc.oneof(
      fc.string({ unit: anyCharacter, maxLength: 20 }),
      fc.stringMatching(/^[a-zA-Z0-9:_-]{1,128}$/),
    );
    const keys = x509.ecKeys();
    fc.assert(
      fc.property(name, (text) => {
        const isGood = /^[a-zA-Z0-9:_-]{1,128}$/.test(text) && !text.includes('\n');
        expect(outcome(issue({ subject: nameOf(cn(text)), keys }))).toBe(isGood ? `thing ${text}` : 'invalidName');
      }),
      { numRuns: 100 },
    );
  });
});

describe('an authority that is set to alternative names', () => {
  const inDns = trustIn([recordOf(ca, { nameFrom: 'dnsName' })]);
  const inUri = trustIn([recordOf(ca, { nameFrom: 'uri' })]);
  const { alternativeNames, dnsName, uri } = x509;

  it.each<[string, Trust, Buffer[], string]>([
    ['one', inDns, [dnsName('lamp')], 'thing lamp'],
    ['one of this kind', inDns, [uri('door'), dnsName('lamp')], 'thing lamp'],
    ['one of the other kind', inUri, [uri('urn:lamp'), dnsName('x')], 'thing urn:lamp'],
    ['two', inDns, [dnsName('lamp'), dnsName('door')], 'manyNames'],
    ['none of this kind', inUri, [dnsName('lamp')], 'noName'],
    ['none', inDns, [], 'noName'],
    ['with a NUL', inDns, [dnsName('lamp\0door')], 'invalidName'],
    ['a wildcard', inDns, [dnsName('*.lamp')], 'invalidName'],
  ])('%s', (_title, trust, names, expected) => {
    const certificate = issue({ subject: nameOf(cn('other')), extensions: [alternativeNames(...names)] });
    expect(outcome(certificate, trust)).toBe(expected);
  });
});

describe('an intermediate authority', () => {
  const intermediate = x509.issueAuthority({ issuer: ca, name: 'Intermediate' });
  const device = x509.issue(intermediate);

  it('issues for devices when it is registered itself', () => {
    expect(outcome(device)).toBe('unknownIssuer');
    expect(outcome(device, trustIn([recordOf(intermediate)]))).toBe('thing lamp-1');
  });
});

describe('a device that is judged again', () => {
  const certificate = issue();
  const device = deviceOf(certificate);
  const { fingerprint } = device;
  const authority = TRUST.authorities.get('acme', device.caId)!;
  const judge = (trust: Trust, nowMs = Date.now()): string | null => judgeDevice(device, trust, nowMs);
  const revoked = (record: RevocationRecord): Trust => trustIn([recordOf(ca)], [record]);

  it.each<[string, Trust, string | null]>([
    ['while nothing has changed', TRUST, null],
    [
      'after the revocation of its certificate',
      revoked({ kind: 'certificate', tenant: 'acme', fingerprint }),
      'revoked',
    ],
    ['after the revocation of its thing', revoked({ kind: 'thing', tenant: 'acme', thing: 'lamp-1' }), 'revoked'],
    ['after the revocation of its authority', revoked(revocationOf(authority)), 'revoked'],
    ['after a revocation in another tenant', revoked({ kind: 'certificate', tenant: 'other', fingerprint }), null],
    ['after the revocation of another thing', revoked({ kind: 'thing', tenant: 'acme', thing: 'lamp-2' }), null],
    ['after the removal of its authority', trustIn([]), 'unknownIssuer'],
    ['while its authority is disabled', trustIn([recordOf(ca, { isDisabled: true })]), 'authorityDisabled'],
  ])('%s', (_title, trust, expected) => {
    expect(judge(trust)).toBe(expected);
    expect(outcome(certificate, trust)).toBe(expected ?? 'thing lamp-1');
  });

  it('after its authority went to another tenant, where it is another device', () => {
    const other = trustIn([recordOf(ca, { tenant: 'other' })]);
    expect(judge(other)).toBe('unknownIssuer');
    expect(deviceOf(certificate, other)).toMatchObject({ tenant: 'other', thing: 'lamp-1' });
  });

  it('when it has expired, and before it was valid', () => {
    expect(judge(TRUST, device.notAfterMs + 30_000)).toBeNull();
    expect(judge(TRUST, device.notAfterMs + 30_001)).toBe('expired');
    expect(judge(TRUST, device.notBeforeMs - 30_001)).toBe('notYetValid');
  });

  it('when its authority has expired, and after the renewal of that', () => {
    const keys = x509.ecKeys();
    const old = x509.issueAuthority({ keys, notAfter: Date.now() - DAY_MS, notBefore: Date.now() - 2 * DAY_MS });
    const renewed = x509.issueAuthority({ keys });
    const leaf = x509.issue(old);
    const [past, present] = [recordOf(old), recordOf(renewed, { registeredAtMs: 2 })];
    expect(outcome(leaf, trustIn([past]))).toBe('authorityNotValid');
    expect(outcome(leaf, trustIn([past, present]))).toBe('thing lamp-1');
    const { authorities } = trustIn([past, present]);
    const [oldest] = authorities.withKey(
      'acme',
      authorities.candidates(ca.subject.toString('latin1'), null)[0]!.keyHash,
    );
    // The renewed certificate has the key of the one that is revoked.
    expect(outcome(leaf, trustIn([present], [revocationOf(oldest!)]))).toBe('revoked');
  });
});
