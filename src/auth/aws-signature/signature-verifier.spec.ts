import { jest } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { signRequest, authorizationOf, type Forms, type Plain, type Signer } from '../../../test/harness/aws-signer.js';
import { SecretSeal, UnsealError } from '../sealed-secret.js';
import { ACCESS_KEY_PURPOSE, createAccessKey, type AccessKey } from './access-key.js';
import type { SignedRequest } from './canonical-request.js';
import { SignatureFault } from './signature-fault.js';
import { SignatureVerifier } from './signature-verifier.js';

const NOW = Date.UTC(2026, 10, 28, 7, 5, 18);
const DATE = '20261128T070518Z';
const seal = new SecretSeal(randomBytes(32), ACCESS_KEY_PURPOSE);
const key = createAccessKey(seal);
const withToken: AccessKey = { ...createAccessKey(seal), sessionTokenHash: sha256('to/k+en=') };
const lookup = (id: string): AccessKey | undefined => [key, withToken].find((each) => each.id === id);
const signer: Signer = { ...key, date: DATE };

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

const BODY = '{"state":{"desired":{"led":"on"}}}';
const HOST = { host: '127.0.0.1:8080' };
/** Signed as the AWS SDK for JavaScript does it: all but a few headers. */
const sdk: Plain = {
  method: 'POST',
  path: '/things/a%3Ab_c-1/shadow',
  query: 'name=na%3Ame%241',
  headers: {
    ...HOST,
    'content-type': 'application/octet-stream',
    'x-amz-user-agent': 'aws-sdk-js/3',
    'x-amz-content-sha256': sha256(BODY),
  },
  body: BODY,
};
/** Signed as the AWS CLI does it. */
const cli: Plain = { ...sdk, headers: HOST };

function verify(request: SignedRequest, now = NOW, verifier = new SignatureVerifier(seal)) {
  return verifier.verifyRest(request, lookup, now);
}
const sign = (plain: Plain, as: Partial<Signer> = {}, forms: Forms = {}): SignedRequest =>
  signRequest(plain, { ...signer, ...as }, forms);

/** The request with the value of a header changed. */
function withHeader(request: SignedRequest, name: string, change: (value: string) => string): SignedRequest {
  const at = request.headers.indexOf(name);
  if (at < 0) throw new Error(`no header ${name}`);
  return { ...request, headers: request.headers.with(at + 1, change(request.headers[at + 1] ?? '')) };
}
const withAuthorization = (request: SignedRequest, change: (value: string) => string): SignedRequest =>
  withHeader(request, 'authorization', change);
const adding = (request: SignedRequest, ...more: string[]): SignedRequest => ({
  ...request,
  headers: [...request.headers, ...more],
});
const without = (request: SignedRequest, name: string): SignedRequest => {
  const at = request.headers.indexOf(name);
  return { ...request, headers: request.headers.toSpliced(at, 2) };
};

describe('a good signature', () => {
  it.each([
    ['of an SDK', sdk, {}],
    ['of the CLI', cli, {}],
    ['for the other service', cli, { service: 'iotdevicegateway' }],
    ['for another region', cli, { region: 'us-gov-west-1' }],
    ['for a region of our own', cli, { region: 'local' }],
  ])('%s is accepted', (_what, plain, as) => {
    const { region = 'eu-central-1', service = 'iotdata' } = as as Partial<Signer>;
    expect(verify(sign(plain, as))).toEqual({ verified: true, key, region, service, signedAt: NOW });
  });

  it('is accepted again, from the remembered signing key', () => {
    const verifier = new SignatureVerifier(seal);
    const results = [1, 2, 3].map(() => verify(sign(cli), NOW, verifier));
    expect(results).toEqual([1, 2, 3].map(() => expect.objectContaining({ verified: true })));
  });

  it.each([
    ['without spaces', (c: string, h: string, s: string) => authorizationOf(c, h, s).replaceAll(', ', ',')],
    ['with spaces', authorizationOf],
  ])('is accepted %s between its parts', (_what, authorization) => {
    expect(verify(sign(cli, {}, { authorization }))).toMatchObject({ verified: true });
  });

  it('covers headers whose space is folded', () => {
    const signed = sign({ ...cli, headers: { ...HOST, 'x-note': 'a b c' } });
    expect(verify(withHeader(signed, 'x-note', () => ' a  b\t c '))).toMatchObject({ verified: true });
  });

  it('is accepted whatever the case of names of headers, and with unsigned headers of proxies', () => {
    const signed = sign(cli);
    const headers = signed.headers.map((text, at) => (at % 2 === 0 ? text.toUpperCase() : text));
    const proxied = { ...signed, headers: [...headers, 'X-Amzn-Trace-Id', 'Root=1', 'Via', '1.1 a', 'Via', '1.1 b'] };
    expect(verify(proxied)).toMatchObject({ verified: true });
  });

  it.each([-300_000, -299_999, 0, 300_000])('is accepted %i ms after its date', (ms) => {
    expect(verify(sign(cli), NOW + ms)).toMatchObject({ verified: true });
  });
});

describe('a changed request', () => {
  const signed = sign(sdk);
  const bare = sign(cli);
  const MISMATCH = /does not match/;

  it.each<[string, SignedRequest, string, RegExp]>([
    ['method', { ...bare, method: 'PUT' }, 'AUTH_102', MISMATCH],
    ['method in lower case', { ...bare, method: 'post' }, 'AUTH_101', /upper-case/],
    ['path', { ...bare, rawPath: '/things/a%3Ab_c-2/shadow' }, 'AUTH_102', MISMATCH],
    ['path, decoded', { ...bare, rawPath: '/things/a:b_c-1/shadow' }, 'AUTH_102', MISMATCH],
    ['path, escaped again', { ...bare, rawPath: '/things/a%253Ab_c-1/shadow' }, 'AUTH_102', MISMATCH],
    ['path with lower-case hex', { ...bare, rawPath: '/things/a%3ab_c-1/shadow' }, 'AUTH_102', MISMATCH],
    ['path with another case', { ...bare, rawPath: '/Things/a%3Ab_c-1/shadow' }, 'AUTH_102', MISMATCH],
    ['path with a slash behind', { ...bare, rawPath: '/things/a%3Ab_c-1/shadow/' }, 'AUTH_102', MISMATCH],
    ['path with an empty segment', { ...bare, rawPath: '//things/a%3Ab_c-1/shadow' }, 'AUTH_101', /segment/],
    ['path with a dot', { ...bare, rawPath: '/things/./a%3Ab_c-1/shadow' }, 'AUTH_101', /segment/],
    ['path with two dots', { ...bare, rawPath: '/x/../things/a%3Ab_c-1/shadow' }, 'AUTH_101', /segment/],
    ['path with two dots behind', { ...bare, rawPath: '/things/a%3Ab_c-1/shadow/x/..' }, 'AUTH_101', /segment/],
    ['path with a space', { ...bare, rawPath: '/things/a%3Ab_c-1/shadow ' }, 'AUTH_101', /visible ASCII/],
    ['path that is absolute', { ...bare, rawPath: 'http://h/things/a%3Ab_c-1/shadow' }, 'AUTH_101', /begin with/],
    ['query', { ...bare, rawQuery: 'name=na%3Ame%242' }, 'AUTH_102', MISMATCH],
    ['query, left out', { ...bare, rawQuery: '' }, 'AUTH_102', MISMATCH],
    ['query with more', { ...bare, rawQuery: `${bare.rawQuery}&a=1` }, 'AUTH_102', MISMATCH],
    ['query, given twice', { ...bare, rawQuery: `${bare.rawQuery}&${bare.rawQuery}` }, 'AUTH_102', MISMATCH],
    ['query, escaped again', { ...bare, rawQuery: 'name=na%253Ame%25241' }, 'AUTH_102', MISMATCH],
    ['query with lower-case hex', { ...bare, rawQuery: 'name=na%3ame%241' }, 'AUTH_101', /upper-case/],
    ['query with half an escape', { ...bare, rawQuery: 'name=na%3' }, 'AUTH_101', /hexadecimal/],
    ['query with a plus', { ...bare, rawQuery: 'name=a+b' }, 'AUTH_101', /no \+/],
    ['query with a space', { ...bare, rawQuery: 'name=a b' }, 'AUTH_101', /visible ASCII/],
    ['query with an empty piece', { ...bare, rawQuery: `${bare.rawQuery}&` }, 'AUTH_101', /without a name/],
    ['query with a second signature', { ...bare, rawQuery: 'X-Amz-Signature=0' }, 'AUTH_101', /one signature/],
    ['body', { ...bare, body: Buffer.from(BODY.replace('on', 'of')) }, 'AUTH_102', MISMATCH],
    ['body, left out', { ...bare, body: null }, 'AUTH_102', MISMATCH],
    ['body with a space behind', { ...bare, body: Buffer.from(`${BODY} `) }, 'AUTH_102', MISMATCH],
    ['body whose hash is a header', { ...signed, body: Buffer.from('{}') }, 'AUTH_101', /SHA-256 of the body/],
    ['host', withHeader(bare, 'host', () => 'other.example'), 'AUTH_102', MISMATCH],
    ['host, left out', without(bare, 'host'), 'AUTH_101', /"host" is missing/],
    ['host, sent twice', adding(bare, 'Host', '127.0.0.1:8080'), 'AUTH_101', /"host" must be sent once/],
    ['signed header', withHeader(signed, 'content-type', () => 'text/plain'), 'AUTH_102', MISMATCH],
    ['signed header, removed', without(signed, 'content-type'), 'AUTH_101', /"content-type" is missing/],
    ['signed header, sent twice', adding(signed, 'Content-Type', 'text/plain'), 'AUTH_101', /must be sent once/],
    [
      'x-amz header, not signed',
      adding(bare, 'X-Amz-Mqtt5-Response', 'a'),
      'AUTH_101',
      /"x-amz-mqtt5-response" was sent/,
    ],
    ['session token, not signed', adding(bare, 'X-Amz-Security-Token', 'a'), 'AUTH_101', /is not signed/],
    ['body hash, not signed', adding(bare, 'x-amz-content-sha256', sha256(BODY)), 'AUTH_101', /is not signed/],
    ['date', withHeader(bare, 'x-amz-date', () => '20261128T070519Z'), 'AUTH_102', MISMATCH],
    ['date, left out', without(bare, 'x-amz-date'), 'AUTH_101', /X-Amz-Date is missing/],
    ['date, sent twice', adding(bare, 'x-amz-date', DATE), 'AUTH_101', /must be sent once/],
    ['date with an offset', withHeader(bare, 'x-amz-date', () => '20261128T070518+0000'), 'AUTH_101', /time in UTC/],
    ['date of another day', withHeader(bare, 'x-amz-date', () => '20261127T235959Z'), 'AUTH_101', /day of X-Amz-Date/],
    ['Authorization, left out', without(bare, 'authorization'), 'AUTH_101', /Authorization is missing/],
    ['Authorization, sent twice', adding(bare, 'Authorization', 'Bearer x'), 'AUTH_101', /must be sent once/],
  ])('is refused: %s', (_what, request, code, reason) => {
    expect(verify(request)).toMatchObject({ verified: false, code, reason: expect.stringMatching(reason) });
  });

  it.each<[string, (authorization: string) => string, string, RegExp]>([
    ['day', (text) => text.replace('/20261128/', '/20261129/'), 'AUTH_101', /day of X-Amz-Date/],
    ['region', (text) => text.replace('eu-central-1', 'eu-central-2'), 'AUTH_102', MISMATCH],
    ['region in upper case', (text) => text.replace('eu-central-1', 'EU-CENTRAL-1'), 'AUTH_101', /Credential must be/],
    ['service', (text) => text.replace('iotdata', 'iotdevicegateway'), 'AUTH_102', MISMATCH],
    ['service of others', (text) => text.replace('iotdata', 's3'), 'AUTH_101', /iotdata or iotdevicegateway, not "s3"/],
    ['end of the scope', (text) => text.replace('aws4_request', 'aws5_request'), 'AUTH_101', /Credential must be/],
    ['scope with one more part', (text) => text.replace('/iotdata/', '/iotdata/x/'), 'AUTH_101', /Credential must be/],
    [
      'key',
      (text) => text.replace(/UMBA\w/, 'UMBA7'.replace('7', text.includes('UMBAB') ? 'C' : 'B')),
      'AUTH_102',
      MISMATCH,
    ],
    ['key of another', (text) => text.replace(key.id, withToken.id), 'AUTH_102', MISMATCH],
    ['key in lower case', (text) => text.replace(key.id, key.id.toLowerCase()), 'AUTH_102', MISMATCH],
    ['key that is a path', (text) => text.replace(key.id, '../../keys'), 'AUTH_101', /Credential must be/],
    ['key without end', (text) => text.replace(key.id, 'A'.repeat(129)), 'AUTH_101', /Credential must be/],
    [
      'first digit',
      (text) => text.replace(/Signature=./, (s) => (s.endsWith('0') ? 'Signature=1' : 'Signature=0')),
      'AUTH_102',
      MISMATCH,
    ],
    ['last digit', (text) => text.slice(0, -1) + (text.endsWith('0') ? '1' : '0'), 'AUTH_102', MISMATCH],
    ['signature in upper case', (text) => text.replace(/\w+$/, (s) => s.toUpperCase()), 'AUTH_101', /64 lower-case/],
    ['signature, cut off', (text) => text.slice(0, -1), 'AUTH_101', /64 lower-case/],
    ['signature, longer', (text) => `${text}0`, 'AUTH_101', /64 lower-case/],
    ['signature, empty', (text) => text.replace(/\w+$/, ''), 'AUTH_101', /Authorization must be/],
    ['algorithm', (text) => text.replace('SHA256', 'SHA1'), 'AUTH_101', /Authorization must be/],
    ['algorithm of regions', (text) => text.replace('HMAC', 'ECDSA-P256'), 'AUTH_101', /Authorization must be/],
    ['scheme in lower case', (text) => text.replace('AWS4-HMAC', 'aws4-hmac'), 'AUTH_101', /Authorization must be/],
    [
      'two spaces',
      (text) => text.replace('AWS4-HMAC-SHA256 ', 'AWS4-HMAC-SHA256  '),
      'AUTH_101',
      /Authorization must be/,
    ],
    ['two spaces between parts', (text) => text.replaceAll(', ', ',  '), 'AUTH_101', /Authorization must be/],
    ['space behind', (text) => `${text} `, 'AUTH_101', /Authorization must be/],
    ['a part twice', (text) => `${text}, Signature=${'0'.repeat(64)}`, 'AUTH_101', /Authorization must be/],
    [
      'signed headers, more',
      (text) => text.replace('host;', 'content-type;host;'),
      'AUTH_101',
      /"content-type" is missing/,
    ],
    ['signed headers, fewer', (text) => text.replace('host;x-amz-date', 'host'), 'AUTH_101', /"x-amz-date" was sent/],
  ])('is refused: in Authorization the %s', (_what, change, code, reason) => {
    const changed = withAuthorization(bare, change);
    expect(changed.headers).not.toEqual(bare.headers);
    expect(verify(changed)).toMatchObject({ verified: false, code, reason: expect.stringMatching(reason) });
  });
});

describe('a right signature of a form that is not accepted', () => {
  const token = { 'x-amz-security-token': 'to/k+en=' };
  it.each<[string, SignedRequest, string, RegExp]>([
    ['host not signed', sign(cli, {}, { signedHeaders: ['x-amz-date'] }), 'AUTH_101', /must contain host/],
    ['date not signed', sign(cli, {}, { signedHeaders: ['host'] }), 'AUTH_101', /"x-amz-date" was sent/],
    ['not sorted', sign(cli, {}, { signedHeaders: ['x-amz-date', 'host'] }), 'AUTH_101', /sorted/],
    [
      'a header listed twice',
      sign(cli, {}, { signedHeaders: ['host', 'host', 'x-amz-date'] }),
      'AUTH_101',
      /each name once/,
    ],
    ['a header not sent', sign(cli, {}, { signedHeaders: ['host', 'x', 'x-amz-date'] }), 'AUTH_101', /"x" is missing/],
    ['an empty name', sign(cli, {}, { signedHeaders: ['', 'host', 'x-amz-date'] }), 'AUTH_101', /each name once/],
    ['another day in the scope', sign(cli, { day: '20261127' }), 'AUTH_101', /day of X-Amz-Date/],
    ['another service', sign(cli, { service: 'iotwireless' }), 'AUTH_101', /The service must be/],
    ['a day that does not exist', sign(cli, { date: '20260230T070518Z' }), 'AUTH_101', /time in UTC/],
    [
      'body not signed',
      sign({ ...sdk, headers: { ...HOST, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } }),
      'AUTH_101',
      /SHA-256 of the body/,
    ],
    [
      'hash in upper case',
      sign({ ...sdk, headers: { ...HOST, 'x-amz-content-sha256': sha256(BODY).toUpperCase() } }),
      'AUTH_101',
      /SHA-256 of the body/,
    ],
    ['unknown key', sign(cli, { id: 'UMBAAAAAAAAAAAAAAAAA' }), 'AUTH_102', /does not match/],
    ['another secret', sign(cli, { secret: 'x'.repeat(40) }), 'AUTH_102', /does not match/],
    [
      'a token that the key does not have',
      sign({ ...cli, headers: { ...HOST, ...token } }),
      'AUTH_102',
      /has no session token/,
    ],
  ])('is refused: %s', (_what, request, code, reason) => {
    expect(verify(request)).toMatchObject({ verified: false, code, reason: expect.stringMatching(reason) });
  });

  it.each([-300_001, 300_001, -86_400_000, 86_400_000])('is refused %i ms after its date', (ms) => {
    const side = ms < 0 ? 'newer' : 'older';
    expect(verify(sign(cli), NOW + ms)).toEqual(
      new SignatureFault('AUTH_110', expect.stringMatching(`s ${side} than the clock`) as unknown as string),
    );
  });

  it('is judged by the skew that the node allows', () => {
    const strict = new SignatureVerifier(seal, { skewMs: 10_000 });
    expect(verify(sign(cli), NOW + 10_000, strict)).toMatchObject({ verified: true });
    expect(verify(sign(cli), NOW + 10_001, strict)).toMatchObject({
      code: 'AUTH_110',
      reason: expect.stringContaining('may be 10 s'),
    });
  });
});

describe('a key with a session token', () => {
  const { secret } = { ...(withToken as AccessKey & { secret: string }) };
  const as = { id: withToken.id, secret };
  const bringing = (value: string): Plain => ({ ...cli, headers: { ...HOST, 'x-amz-security-token': value } });

  it('is good with its token', () => {
    expect(verify(sign(bringing('to/k+en='), as))).toMatchObject({ verified: true, key: withToken });
  });

  it.each([
    ['without one', sign(cli, as)],
    ['with another', sign(bringing('to/k+en'), as)],
    ['with its hash', sign(bringing(withToken.sessionTokenHash ?? ''), as)],
    ['with an empty one', sign(bringing(''), as)],
  ])('is refused %s', (_what, request) => {
    expect(verify(request)).toMatchObject({
      code: 'AUTH_102',
      reason: expect.stringMatching(/token .* missing or wrong/),
    });
  });
});

describe('what a refusal tells', () => {
  const unknown = verify(sign(cli, { id: 'UMBAAAAAAAAAAAAAAAAA' }));
  const wrong = verify(sign(cli, { secret: 'x'.repeat(40) }));

  it('is the same for an unknown key and a wrong signature', () => {
    expect(unknown).toEqual(wrong);
  });

  it('is no secret and no signature', () => {
    const right = /Signature=(\w+)/.exec(sign(cli).headers.at(-1) ?? '')?.[1] ?? '';
    expect(right).toHaveLength(64);
    for (const fault of [unknown, wrong])
      expect(JSON.stringify(fault)).not.toMatch(new RegExp(`${key.secret}|${right}`));
  });
});

describe('remembered signing keys', () => {
  it('are not used for a key that is gone, or has another secret', () => {
    const verifier = new SignatureVerifier(seal);
    const request = sign(cli);
    expect(verifier.verifyRest(request, () => key, NOW)).toMatchObject({ verified: true });
    expect(verifier.verifyRest(request, () => undefined, NOW)).toMatchObject({ code: 'AUTH_102' });
    const renewed = { ...key, sealedSecret: seal.seal('another', key.id) };
    expect(verifier.verifyRest(request, () => renewed, NOW)).toMatchObject({ code: 'AUTH_102' });
    expect(verifier.verifyRest(request, () => key, NOW)).toMatchObject({ verified: true });
  });

  it('are derived once a day, region and service, and again for each refusal', () => {
    const opened = jest.spyOn(SecretSeal.prototype, 'open');
    const count = (request: SignedRequest): number => {
      opened.mockClear();
      verify(request, NOW, verifier);
      return opened.mock.calls.length;
    };
    const verifier = new SignatureVerifier(seal);
    const wrong = sign(cli, { secret: 'x'.repeat(40) });
    expect([count(wrong), count(sign(cli)), count(sign(cli))]).toEqual([1, 1, 0]);
    // As many for a key that is remembered as for an unknown one.
    expect([count(wrong), count(sign(cli, { id: 'UMBAAAAAAAAAAAAAAAAA' }))]).toEqual([1, 1]);
    expect([count(sign(cli, { region: 'eu-west-1' })), count(sign(cli, { region: 'eu-west-1' }))]).toEqual([1, 0]);
    opened.mockRestore();
  });

  it('do not hide that a secret was sealed under another master key', () => {
    const other = new SignatureVerifier(new SecretSeal(randomBytes(32), ACCESS_KEY_PURPOSE));
    expect(() => verify(sign(cli), NOW, other)).toThrow(UnsealError);
  });
});
