import { createHash, randomBytes } from 'node:crypto';
import { presign, SDK_V1, SDK_V2, type Signer, type UrlForm } from '../../../test/harness/aws-signer.js';
import { SecretSeal } from '../sealed-secret.js';
import { ACCESS_KEY_PURPOSE, createAccessKey, type AccessKey } from './access-key.js';
import type { SignedRequest } from './canonical-request.js';
import { SignatureVerifier } from './signature-verifier.js';

type Upgrade = Omit<SignedRequest, 'body'>;

const NOW = Date.UTC(2026, 10, 28, 7, 5, 18);
const DATE = '20261128T070518Z';
const TOKEN = 'to/k+en=';
const seal = new SecretSeal(randomBytes(32), ACCESS_KEY_PURPOSE);
const key = createAccessKey(seal);
const sessionTokenHash = createHash('sha256').update(TOKEN).digest('hex');
const withToken = { ...createAccessKey(seal), sessionTokenHash };
const lookup = (id: string): AccessKey | undefined => [key, withToken].find((each) => each.id === id);
const signer: Signer = { ...key, date: DATE };
const tokenSigner: Signer = { ...withToken, date: DATE };

const verify = (request: Upgrade, now = NOW, verifier = new SignatureVerifier(seal)) =>
  verifier.verifyUpgrade(request, lookup, now);

const FORMS: [string, UrlForm][] = [
  ['SDK v1', SDK_V1],
  ['SDK v2', SDK_V2],
];

describe.each(FORMS)('a URL signed as the %s does it', (_name, form) => {
  it('is accepted', () => {
    const { region, service } = { region: 'eu-central-1', service: 'iotdevicegateway' };
    expect(verify(presign(form, signer))).toEqual({ verified: true, key, region, service, signedAt: NOW });
    expect(verify(presign(form, { ...signer, service: 'iotdata' }))).toMatchObject({ verified: true });
  });

  it('is accepted with its parameters in another order', () => {
    const signed = presign(form, signer);
    const rawQuery = signed.rawQuery.split('&').reverse().join('&');
    expect(verify({ ...signed, rawQuery })).toMatchObject({ verified: true });
  });

  it('is good once', () => {
    const verifier = new SignatureVerifier(seal);
    const request = presign(form, signer);
    expect(verify(request, NOW, verifier)).toMatchObject({ verified: true });
    for (const ms of [0, 1, 299_999, 300_000]) {
      expect(verify(request, NOW + ms, verifier)).toMatchObject({
        code: 'AUTH_110',
        reason: expect.stringMatching(/used before/),
      });
    }
    expect(verify(request, NOW + 300_001, verifier)).toMatchObject({
      code: 'AUTH_110',
      reason: expect.stringMatching(/older/),
    });
    expect(verify(presign(form, { ...signer, date: '20261128T070519Z' }), NOW, verifier)).toMatchObject({
      verified: true,
    });
  });

  it.each([-300_001, 300_001])('is refused %i ms after its date', (ms) => {
    expect(verify(presign(form, signer), NOW + ms)).toMatchObject({ code: 'AUTH_110' });
  });

  it.each([-300_000, 300_000])('is accepted %i ms after its date', (ms) => {
    expect(verify(presign(form, signer), NOW + ms)).toMatchObject({ verified: true });
  });

  it.each([true, false])('is accepted with the token of the key, signed: %s', (isTokenSigned) => {
    expect(verify(presign({ ...form, token: TOKEN, isTokenSigned }, tokenSigner))).toMatchObject({ key: withToken });
  });

  it.each<[string, Upgrade]>([
    ['without the token of the key', presign(form, tokenSigner)],
    ['with another token', presign({ ...form, token: 'other' }, tokenSigner)],
    ['with a token that the key does not have', presign({ ...form, token: TOKEN }, signer)],
  ])('is refused %s', (_what, request) => {
    expect(verify(request)).toMatchObject({ code: 'AUTH_102', reason: expect.stringMatching(/session token/) });
  });

  const signed = presign(form, signer);
  const changed = (from: string | RegExp, to: string): Upgrade => {
    const rawQuery = signed.rawQuery.replace(from, to);
    if (rawQuery === signed.rawQuery) throw new Error(`nothing to change: ${String(from)}`);
    return { ...signed, rawQuery };
  };
  const MISMATCH = /does not match/;
  it.each<[string, Upgrade, string, RegExp]>([
    ['method', { ...signed, method: 'POST' }, 'AUTH_102', MISMATCH],
    ['path', { ...signed, rawPath: '/mqtt2' }, 'AUTH_102', MISMATCH],
    ['path, escaped', { ...signed, rawPath: '/%6Dqtt' }, 'AUTH_102', MISMATCH],
    ['path with an empty segment', { ...signed, rawPath: '//mqtt' }, 'AUTH_101', /segment/],
    ['query with more', { ...signed, rawQuery: `${signed.rawQuery}&a=1` }, 'AUTH_102', MISMATCH],
    ['query with an empty piece', { ...signed, rawQuery: `&${signed.rawQuery}` }, 'AUTH_101', /without a name/],
    ['no query', { ...signed, rawQuery: '' }, 'AUTH_101', /X-Amz-Algorithm is missing/],
    [
      'host',
      { ...signed, headers: signed.headers.map((text) => text.replace('umbra', 'other')) },
      'AUTH_102',
      MISMATCH,
    ],
    ['host, left out', { ...signed, headers: ['Connection', 'Upgrade'] }, 'AUTH_101', /"host" is missing/],
    ['host, sent twice', { ...signed, headers: [...signed.headers, 'host', 'x'] }, 'AUTH_101', /sent once/],
    ['x-amz header', { ...signed, headers: [...signed.headers, 'x-amz-a', 'x'] }, 'AUTH_101', /"x-amz-a" was sent/],
    [
      'Authorization',
      { ...signed, headers: [...signed.headers, 'Authorization', 'x'] },
      'AUTH_101',
      /no Authorization/,
    ],
    ['algorithm', changed('SHA256', 'SHA1'), 'AUTH_101', /X-Amz-Algorithm must be/],
    ['key', changed(/UMBA\w{16}/, 'UMBAAAAAAAAAAAAAAAAA'), 'AUTH_102', MISMATCH],
    ['day', changed('%2F20261128', '%2F20261127'), 'AUTH_101', /day of X-Amz-Date/],
    ['region', changed('eu-central-1', 'eu-west-1'), 'AUTH_102', MISMATCH],
    ['service', changed('iotdevicegateway', 'iotdata'), 'AUTH_102', MISMATCH],
    ['service of others', changed('iotdevicegateway', 's3'), 'AUTH_101', /The service must be/],
    ['credential that is no UTF-8', changed('eu-central-1', '%FF'), 'AUTH_101', /not UTF-8/],
    ['date', changed('T070518Z', 'T070519Z'), 'AUTH_102', MISMATCH],
    ['date of no time', changed('T070518Z', 'T240518Z'), 'AUTH_101', /time in UTC/],
    ['life', changed('&X-Amz-Date', '&X-Amz-Expires=60&X-Amz-Date'), 'AUTH_102', MISMATCH],
    [
      'signature',
      changed(/Signature=./, `Signature=${/Signature=0/.test(signed.rawQuery) ? '1' : '0'}`),
      'AUTH_102',
      MISMATCH,
    ],
    ['signature in upper case', changed(/\w+$/, 'A'.repeat(64)), 'AUTH_101', /64 lower-case/],
    [
      'signature twice',
      { ...signed, rawQuery: `${signed.rawQuery}&X-Amz-Signature=0` },
      'AUTH_101',
      /must be given once/,
    ],
    ['signature, left out', changed(/&X-Amz-Signature.*/, ''), 'AUTH_101', /X-Amz-Signature is missing/],
    ['name in another case', changed('X-Amz-Date', 'x-amz-date'), 'AUTH_101', /X-Amz-Date is missing/],
    ['signed headers, none', changed(/SignedHeaders=[^&]+/, 'SignedHeaders='), 'AUTH_101', /SignedHeaders must be/],
    ['signed headers, other', changed(/SignedHeaders=[^&]+/, 'SignedHeaders=host%3Bupgrade'), 'AUTH_102', MISMATCH],
    ['lower-case hex', changed('%2F', '%2f'), 'AUTH_101', /upper-case/],
  ])('is refused with another %s', (_what, request, code, reason) => {
    expect(verify(request)).toMatchObject({ verified: false, code, reason: expect.stringMatching(reason) });
  });
});

describe('a URL that states its life', () => {
  const lasting = (seconds: string): Upgrade => presign({ ...SDK_V1, more: { 'X-Amz-Expires': seconds } }, signer);

  it.each([
    ['60', 60_000],
    ['86400', 300_000],
  ])('of %s s is good for %i ms', (seconds, ms) => {
    expect(verify(lasting(seconds), NOW + ms)).toMatchObject({ verified: true });
    expect(verify(lasting(seconds), NOW + ms + 1)).toMatchObject({ code: 'AUTH_110' });
  });

  it.each(['0', '-1', '1.5', '604801', '9'.repeat(30), '', 'x'])('of %p s is refused', (seconds) => {
    expect(verify(lasting(seconds))).toMatchObject({ code: 'AUTH_101', reason: expect.stringMatching(/1 to 604800/) });
  });
});

describe('the memory of used URLs', () => {
  const at = (second: number): Upgrade => presign(SDK_V2, { ...signer, date: `20261128T0705${second}Z` });

  it('has a bound, at which a URL is refused until others are late', () => {
    const verifier = new SignatureVerifier(seal, { maxPresigned: 2 });
    expect(verify(at(10), NOW, verifier)).toMatchObject({ verified: true });
    expect(verify(at(11), NOW, verifier)).toMatchObject({ verified: true });
    expect(verify(at(12), NOW, verifier)).toMatchObject({
      code: 'AUTH_110',
      reason: expect.stringMatching(/Too many signed URLs/),
    });
    expect(verify(at(10), NOW, verifier)).toMatchObject({ reason: expect.stringMatching(/used before/) });
    // The first is late: its second is over.
    const later = NOW - 8000 + 301_000;
    expect(verify(at(12), later, verifier)).toMatchObject({ verified: true });
    expect(verify(at(13), later, verifier)).toMatchObject({ reason: expect.stringMatching(/Too many/) });
  });

  it('is not filled by wrong signatures', () => {
    const verifier = new SignatureVerifier(seal, { maxPresigned: 1 });
    const wrong = { ...signer, secret: 'x'.repeat(40) };
    for (let i = 0; i < 3; i++)
      expect(verify(presign(SDK_V2, wrong), NOW, verifier)).toMatchObject({ code: 'AUTH_102' });
    expect(verify(at(18), NOW, verifier)).toMatchObject({ verified: true });
  });

  it('lets devices that share a key connect within the grace', () => {
    const verifier = new SignatureVerifier(seal, { presignedGraceMs: 1000 });
    expect(verify(at(18), NOW, verifier)).toMatchObject({ verified: true });
    expect(verify(at(18), NOW + 999, verifier)).toMatchObject({ verified: true });
    expect(verify(at(18), NOW + 1000, verifier)).toMatchObject({ reason: expect.stringMatching(/used before/) });
  });
});
