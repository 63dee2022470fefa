import { jest } from '@jest/globals';
import { ISSUER, FOREIGN, GRANT, tampered, TokenNode } from '../../../test/harness/token-node.js';
import type { VerifiedToken } from './access-tokens.js';
import { DenialList } from './denial-list.js';
import { TokenFault } from './token-fault.js';
import { DEFAULT_RULES } from './token-rules.js';

let node: TokenNode;
beforeEach(async () => {
  node = new TokenNode();
  await node.signing.open();
});

/** Order of P-256: (r, n - s) is a signature wherever (r, s) is one. */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
function otherForm(signature: string): string {
  const bytes = Buffer.from(signature, 'base64url');
  const s = ORDER - BigInt(`0x${bytes.subarray(32).toString('hex')}`);
  return Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]).toString(
    'base64url',
  );
}

describe('time', () => {
  it.each([
    [{ clockSkew: 0, gracePeriod: 0 }, 0],
    [{ clockSkew: 30, gracePeriod: 0 }, 30],
    [{ clockSkew: 30, gracePeriod: 60 }, 90],
  ])('ends a token at its end with %j', async (changes, seconds) => {
    node.rules = { ...DEFAULT_RULES, ...changes };
    const { token, expiresAt } = await node.issued();
    const verified = (await node.tokens.verify(token)) as VerifiedToken;
    const last = expiresAt + seconds * 1000 - 1;
    node.clock.set(last);
    for (const answer of [node.tokens.recall(token) ?? verified, await node.tokens.verify(token)])
      expect(answer).toEqual(verified);
    node.clock.advance(1);
    expect(await node.tokens.verify(token)).toMatchObject({ code: 'AUTH_103' });
  });

  it('ends a remembered token at once when the rules become stricter', async () => {
    node.rules = { ...DEFAULT_RULES, gracePeriod: 60 };
    const token = await node.signed(node.claims({ exp: node.now + 10 }));
    node.clock.advance(50_000);
    expect(await node.tokens.verify(token)).not.toBeInstanceOf(TokenFault);
    node.rules = DEFAULT_RULES;
    expect(node.tokens.recall(token)).toMatchObject({ code: 'AUTH_103' });
  });

  it('verifies a remembered token anew after five minutes', async () => {
    const { token } = await node.issued();
    await node.tokens.verify(token);
    node.clock.advance(5 * 60_000 - 1);
    expect(node.tokens.recall(token)).not.toBeNull();
    node.clock.advance(1);
    expect(node.tokens.recall(token)).toBeNull();
    expect(await node.tokens.verify(token)).not.toBeInstanceOf(TokenFault);
  });

  it('says when a connection must end', async () => {
    node.rules = { ...DEFAULT_RULES, gracePeriod: 60 };
    const { token, expiresAt } = await node.issued();
    expect(node.tokens.endsAt((await node.tokens.verify(token)) as VerifiedToken)).toBe(expiresAt + 60_000);
  });
});

describe('denied', () => {
  it.each([
    ['the token', ({ id }: VerifiedToken) => node.denials.deny({ kind: 'token', issuer: ISSUER, id })],
    ['its principal', () => node.denials.deny({ kind: 'principal', tenant: 'acme', principal: 'lamp-1' })],
    ['its tenant', () => node.denials.deny({ kind: 'tenant', tenant: 'acme' })],
  ])('%s: a remembered token is refused with the next use, in grace too', async (_what, deny) => {
    node.rules = { ...DEFAULT_RULES, gracePeriod: 3600 };
    const { token, expiresAt } = await node.issued();
    const verified = (await node.tokens.verify(token)) as VerifiedToken;
    await deny(verified);
    expect(node.tokens.recall(token)).toMatchObject({ code: 'AUTH_105' });
    expect(node.tokens.recall(token)).toBeNull();
    expect(await node.tokens.verify(token)).toMatchObject({ code: 'AUTH_105' });
    node.clock.set(expiresAt + 3_600_000 - 1);
    expect(await node.tokens.verify(token)).toMatchObject({ code: 'AUTH_105' });
  });

  it('a token without a name stays denied under another signature that holds', async () => {
    const token = await node.signed(node.claims({ jti: undefined }));
    const verified = (await node.tokens.verify(token)) as VerifiedToken;
    await node.denials.deny({ kind: 'token', issuer: ISSUER, id: verified.id }, verified.expiresAt);
    const twin = tampered(token, 2, otherForm);
    expect(twin).not.toBe(token);
    // It does hold.
    const open = node.tokensWith(new DenialList(node.keys.under('none/'), node.clock));
    expect(await open.verify(twin)).toMatchObject({ id: verified.id });
    expect(await node.tokens.verify(twin)).toMatchObject({ code: 'AUTH_105' });
  });

  it('others go on', async () => {
    const others = [
      await node.issued({ ...GRANT, principal: 'lamp-2' }),
      await node.issued({ ...GRANT, tenant: 'other' }),
    ];
    await node.denials.deny({ kind: 'principal', tenant: 'acme', principal: 'lamp-1' });
    await node.denials.deny({ kind: 'token', issuer: FOREIGN, id: others[0]?.id ?? '' });
    for (const { token } of others) expect(await node.tokens.verify(token)).not.toBeInstanceOf(TokenFault);
  });

  it('a principal gets no token that would be refused, and a good one soon after', async () => {
    await node.denials.deny({ kind: 'principal', tenant: 'acme', principal: 'lamp-1' });
    expect(await node.own.issue(GRANT)).toMatchObject({
      code: 'AUTH_105',
      reason: expect.stringContaining('5 s') as string,
    });
    node.clock.advance(6_000);
    expect(await node.tokens.verify((await node.issued()).token)).not.toBeInstanceOf(TokenFault);
  });
});

describe('keys', () => {
  it('rotate without logging anybody out, remembered or not', async () => {
    const remembered = await node.issued();
    const fresh = await node.issued();
    await node.tokens.verify(remembered.token);
    await node.signing.rotate();
    await node.signing.rotate();
    expect(node.tokens.recall(remembered.token)).toMatchObject({ principal: 'lamp-1' });
    expect(await node.tokens.verify(fresh.token)).toMatchObject({ principal: 'lamp-1' });
    expect(await node.tokens.verify((await node.issued()).token)).toMatchObject({ principal: 'lamp-1' });
  });

  it('that are replaced end all tokens, remembered ones too', async () => {
    const { token } = await node.issued();
    await node.tokens.verify(token);
    await node.signing.replaceAll();
    expect(node.tokens.recall(token)).toBeNull();
    expect(await node.tokens.verify(token)).toMatchObject({ code: 'AUTH_102' });
  });

  it('verify a token once for all who present it at the same time', async () => {
    const { token } = await node.issued();
    const found = jest.spyOn(node.own, 'key');
    const answers = await Promise.all(Array.from({ length: 200 }, () => node.tokens.verify(token)));
    expect(new Set(answers).size).toBe(1);
    expect(found).toHaveBeenCalledTimes(1);
  });

  it('that cannot be had refuse nobody for good', async () => {
    const { token } = await node.issued();
    const error = new Error('several keys fit');
    jest.spyOn(node.own, 'key').mockRejectedValueOnce(error);
    expect(await node.tokens.verify(token)).toMatchObject({ code: 'AUTH_102' });
    expect(await node.tokens.verify(token)).not.toBeInstanceOf(TokenFault);
  });
});
