import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { exportJWK, type JWK } from 'jose';
import { FOREIGN, ISSUER, RSA, tampered, TokenNode } from '../../../test/harness/token-node.js';
import { TokenFault } from './token-fault.js';

const intruder = generateKeyPairSync('ec', { namedCurve: 'P-256' });
let node: TokenNode;
beforeEach(async () => {
  node = new TokenNode();
  await node.signing.open();
});

const json = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
/** A token with an HMAC in the place of a signature. */
function hmacked(payload: unknown, head: unknown, secret: string) {
  const input = `${json(head)}.${json(payload)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}
const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }) as string;
const publicOf = async (kid: string) => (await node.signing.find(kid)) as KeyObject;

describe('accepted', () => {
  it('is what we issued, with all that it says', async () => {
    const { token, id, expiresIn, expiresAt } = await node.issued();
    expect(expiresIn).toBe(3600);
    const verified = await node.tokens.verify(token);
    expect(verified).toEqual({
      ...{ tenant: 'acme', principal: 'lamp-1', client: 'lamp-1', scopes: ['device'], key: null },
      ...{ issuer: ISSUER, id, issuedAt: node.now * 1000, expiresAt, notBefore: null },
    });
    expect(node.tokens.recall(token)).toBe(verified);
  });

  it('is what another issuer signed with the algorithm that it is trusted with', async () => {
    const verified = await node.tokens.verify(await node.rsaSigned());
    expect(verified).toMatchObject({ tenant: 'acme', principal: 'u', id: expect.stringMatching(/^sha256:/) as string });
  });

  it.each(['at+jwt', 'AT+JWT', 'application/at+jwt', 'JWT', 'jwt'])(
    'has the type %s of another issuer',
    async (typ) => {
      expect(await node.tokens.verify(await node.rsaSigned({}, { typ }))).not.toBeInstanceOf(TokenFault);
    },
  );

  it('names several audiences, of which one is ours', async () => {
    const token = await node.signed(node.claims({ aud: ['https://elsewhere', ISSUER] }));
    expect(await node.tokens.verify(token)).not.toBeInstanceOf(TokenFault);
  });
});

/** Each case: what it is, the code that its caller gets, and the token. */
const ATTACKS: readonly (readonly [string, string, () => string | Promise<string>])[] = [
  ['nothing', 'AUTH_101', () => ''],
  ['one word', 'AUTH_101', () => 'token'],
  ['two parts', 'AUTH_101', async () => (await node.issued()).token.replace(/\.[^.]*$/, '')],
  ['an encrypted token', 'AUTH_101', async () => `${(await node.issued()).token}.AAAA.AAAA`],
  ['an oversized token', 'AUTH_101', () => node.signed(node.claims({ pad: 'x'.repeat(8192) }))],
  ['8 MB', 'AUTH_101', () => 'a'.repeat(8_000_000)],
  ['white space around it', 'AUTH_101', async () => ` ${(await node.issued()).token}`],
  ['a line feed behind it', 'AUTH_101', async () => `${(await node.issued()).token}\n`],
  ['alg none, no signature', 'AUTH_101', () => `${json({ ...node.header(), alg: 'none' })}.${json(node.claims())}.`],
  ['alg none, a signature', 'AUTH_102', () => `${json({ ...node.header(), alg: 'none' })}.${json(node.claims())}.AAAA`],
  ['alg NoNe', 'AUTH_102', () => `${json({ ...node.header(), alg: 'NoNe' })}.${json(node.claims())}.AAAA`],
  ['alg missing', 'AUTH_101', () => `${json({ typ: 'at+jwt' })}.${json(node.claims())}.AAAA`],
  ['alg not a text', 'AUTH_101', () => `${json({ ...node.header(), alg: ['ES256'] })}.${json(node.claims())}.AAAA`],
  [
    'HS256 with our public key as the secret',
    'AUTH_102',
    async () =>
      hmacked(node.claims(), { ...node.header(), alg: 'HS256' }, pem(await publicOf(node.signing.current.kid))),
  ],
  [
    'HS256 with the JWK as the secret',
    'AUTH_102',
    () => hmacked(node.claims(), { ...node.header(), alg: 'HS256' }, JSON.stringify(node.signing.published().keys[0])),
  ],
  [
    'HS256 with the RSA key of another issuer',
    'AUTH_102',
    () =>
      hmacked(
        node.claims({ iss: FOREIGN, aud: 'umbra', org: 'acme' }),
        { alg: 'HS256', typ: 'JWT', kid: 'rsa-1' },
        pem(RSA.publicKey),
      ),
  ],
  ['HS256 with an empty secret', 'AUTH_102', () => hmacked(node.claims(), { ...node.header(), alg: 'HS256' }, '')],
  ['RS256 at our issuer', 'AUTH_102', () => node.signed(node.claims(), { alg: 'RS256' }, RSA.privateKey)],
  [
    'ES256 at an issuer of RS256',
    'AUTH_102',
    () => node.signed(node.claims({ iss: FOREIGN, aud: 'umbra', org: 'acme' }), { kid: 'rsa-1', typ: 'JWT' }),
  ],
  ['PS256 at an issuer of RS256', 'AUTH_102', () => node.rsaSigned({}, { alg: 'PS256' })],
  ['an intruder’s key under our kid', 'AUTH_102', () => node.signed(node.claims(), {}, intruder.privateKey)],
  ['an unknown kid', 'AUTH_102', () => node.signed(node.claims(), { kid: 'unknown' }, intruder.privateKey)],
  ['no kid', 'AUTH_102', () => node.signed(node.claims(), { kid: undefined })],
  [
    'a kid like a path',
    'AUTH_102',
    () => node.signed(node.claims(), { kid: '../../../../dev/null' }, intruder.privateKey),
  ],
  [
    'a kid like a member of objects',
    'AUTH_102',
    () => node.signed(node.claims(), { kid: '__proto__' }, intruder.privateKey),
  ],
  ['a kid of SQL', 'AUTH_102', () => node.signed(node.claims(), { kid: "x' UNION SELECT 'k" }, intruder.privateKey)],
  ['a kid that is no text', 'AUTH_102', () => node.signed(node.claims(), { kid: 7 }, intruder.privateKey)],
  [
    'its own key in the header',
    'AUTH_102',
    async () => {
      const jwk: JWK = await exportJWK(intruder.publicKey);
      return node.signed(node.claims(), { jwk, kid: 'unknown' }, intruder.privateKey);
    },
  ],
  [
    'a URL of its keys in the header',
    'AUTH_102',
    () => node.signed(node.claims(), { jku: 'https://evil.test/jwks', kid: 'unknown' }, intruder.privateKey),
  ],
  [
    'an extension that must be understood',
    'AUTH_102',
    async () => tampered((await node.issued()).token, 0, () => json({ ...node.header(), crit: ['x'], x: 1 })),
  ],
  ['the type of an ID token at our issuer', 'AUTH_101', () => node.signed(node.claims(), { typ: 'JWT' })],
  ['the type of a logout token', 'AUTH_101', () => node.rsaSigned({}, { typ: 'logout+jwt' })],
  ['no type', 'AUTH_101', () => node.rsaSigned({}, { typ: undefined })],
  ['a foreign issuer', 'AUTH_106', () => node.signed(node.claims({ iss: 'https://evil.test' }))],
  ['an issuer with a slash more', 'AUTH_106', () => node.signed(node.claims({ iss: `${ISSUER}/` }))],
  ['an issuer in capitals', 'AUTH_106', () => node.signed(node.claims({ iss: ISSUER.toUpperCase() }))],
  ['no issuer', 'AUTH_106', () => node.signed(node.claims({ iss: undefined }))],
  ['an issuer in a list', 'AUTH_106', () => node.signed(node.claims({ iss: [ISSUER] }))],
  ['our key for another issuer', 'AUTH_102', () => node.signed(node.claims({ iss: FOREIGN }), { typ: 'JWT' })],
  ['a foreign audience', 'AUTH_106', () => node.signed(node.claims({ aud: 'https://elsewhere' }))],
  ['an audience that ours is a part of', 'AUTH_106', () => node.signed(node.claims({ aud: `${ISSUER}.evil.test` }))],
  ['no audience', 'AUTH_101', () => node.signed(node.claims({ aud: undefined }))],
  ['an empty list of audiences', 'AUTH_101', () => node.signed(node.claims({ aud: [] }))],
  ['an audience that is no text', 'AUTH_101', () => node.signed(node.claims({ aud: [{ ISSUER }] }))],
  ['an expired token', 'AUTH_103', () => node.signed(node.claims({ iat: node.now - 700, exp: node.now - 31 }))],
  ['a token that expires at 0', 'AUTH_103', () => node.signed(node.claims({ iat: 0, exp: 0 }))],
  ['a token without exp', 'AUTH_101', () => node.signed(node.claims({ exp: undefined }))],
  ['exp as a text', 'AUTH_101', () => node.signed(node.claims({ exp: String(node.now + 600) }))],
  ['exp beyond all time', 'AUTH_101', () => node.signed(node.claims({ exp: 1e300 }))],
  ['a negative exp', 'AUTH_101', () => node.signed(node.claims({ exp: -1 }))],
  ['exp null', 'AUTH_101', () => node.signed(node.claims({ exp: null }))],
  ['a life of a year', 'AUTH_101', () => node.signed(node.claims({ exp: node.now + 31_536_000 }))],
  ['nbf in the future', 'AUTH_104', () => node.signed(node.claims({ nbf: node.now + 60 }))],
  ['iat in the future', 'AUTH_104', () => node.signed(node.claims({ iat: node.now + 60 }))],
  ['nbf as a text', 'AUTH_101', () => node.signed(node.claims({ nbf: '0' }))],
  ['no iat', 'AUTH_101', () => node.signed(node.claims({ iat: undefined }))],
  ['no sub', 'AUTH_101', () => node.signed(node.claims({ sub: undefined }))],
  ['an empty sub', 'AUTH_101', () => node.signed(node.claims({ sub: '' }))],
  ['a sub with a line feed', 'AUTH_101', () => node.signed(node.claims({ sub: 'admin\n' }))],
  ['a sub of 257 characters', 'AUTH_101', () => node.signed(node.claims({ sub: 'x'.repeat(257) }))],
  ['a jti that is no text', 'AUTH_101', () => node.signed(node.claims({ jti: 7 }))],
  ['no tenant', 'AUTH_106', () => node.signed(node.claims({ tenant: undefined }))],
  ['a tenant that is no text', 'AUTH_106', () => node.signed(node.claims({ tenant: ['acme'] }))],
  ['claims that are a list', 'AUTH_106', () => `${json(node.header())}.${json([node.claims()])}.AAAA`],
  [
    'another tenant under the same signature',
    'AUTH_102',
    async () => tampered((await node.issued()).token, 1, () => json(node.claims({ tenant: 'other' }))),
  ],
  [
    'another header under the same signature',
    'AUTH_102',
    async () => tampered((await node.issued()).token, 0, () => json({ ...node.header(), x: 1 })),
  ],
  [
    'a changed signature',
    'AUTH_102',
    async () => tampered((await node.issued()).token, 2, (text) => (text.startsWith('A') ? 'B' : 'A') + text.slice(1)),
  ],
  ['a signature of zeros', 'AUTH_102', async () => tampered((await node.issued()).token, 2, () => 'A'.repeat(86))],
  [
    'a signature in DER',
    'AUTH_102',
    async () => tampered((await node.issued()).token, 2, () => 'MEQCIA'.padEnd(94, 'A')),
  ],
];

describe('refused', () => {
  it.each(ATTACKS)('is %s: %s', async (_what, code, token) => {
    const text = await token();
    const fault = await node.tokens.verify(text);
    expect(fault).toBeInstanceOf(TokenFault);
    expect((fault as TokenFault).code).toBe(code);
    expect((fault as TokenFault).reason.length).toBeLessThan(120);
    expect(node.tokens.recall(text)).toBeNull();
  });

  it('is a good token with any one character changed', async () => {
    const { token } = await node.issued();
    for (let index = 0; index < token.length; index += 7) {
      const other = token[index] === 'A' ? 'B' : 'A';
      const changed = token.slice(0, index) + other + token.slice(index + 1);
      expect(await node.tokens.verify(changed)).toBeInstanceOf(TokenFault);
    }
  });

  it('is what is left of a token when its issuer is trusted no longer', async () => {
    const token = await node.rsaSigned();
    await node.tokens.verify(token);
    node.issuers.delete(FOREIGN);
    expect(node.tokens.recall(token)).toBeNull();
    expect(await node.tokens.verify(token)).toMatchObject({ code: 'AUTH_106' });
  });
});
