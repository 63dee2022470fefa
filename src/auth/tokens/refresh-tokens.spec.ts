import { SettableClock } from '../../../test/harness/clock.js';
import { MemoryClusterKeys } from '../../../test/harness/memory-cluster-keys.js';
import type { Presenter } from './client-binding.js';
import { digestOf, RefreshTokenTexts } from './refresh-token.js';
import { RefreshTokens, type RefreshGrant, type ReuseReport } from './refresh-tokens.js';
import { TokenFault } from './token-fault.js';
import { DEFAULT_RULES, type TokenRules } from './token-rules.js';

const master = Buffer.alloc(32, 1);
const OWNER = { tenant: 'acme', principal: 'ann', scopes: ['operator'] };
const AT_HOME: Presenter = { client: 'console', address: '192.0.2.7', agent: 'Browser/1' };

describe('RefreshTokens', () => {
  let clock: SettableClock;
  let keys: MemoryClusterKeys;
  let rules: TokenRules;
  let reused: ReuseReport[];
  let tokens: RefreshTokens;
  const make = (secret = master) =>
    new RefreshTokens({ keys, masterKey: secret, clock, rules: () => rules, onReuse: (report) => reused.push(report) });
  const use = async (token: string, presenter = AT_HOME) => (await tokens.use(token, presenter)) as RefreshGrant;
  const codeOf = async (token: string, presenter = AT_HOME) => {
    const answer = await tokens.use(token, presenter);
    return answer instanceof TokenFault ? answer.code : 'accepted';
  };
  beforeEach(() => {
    clock = new SettableClock();
    keys = new MemoryClusterKeys();
    rules = DEFAULT_RULES;
    reused = [];
    tokens = make();
  });

  it('gives a successor with the rights of the first, once and again', async () => {
    let grant = await tokens.begin(OWNER, AT_HOME);
    const seen = new Set([grant.token]);
    for (let i = 0; i < 5; i++) {
      const next = await use(grant.token);
      expect({ ...next, token: '' }).toEqual({ ...grant, token: '' });
      expect(next).toMatchObject({ ...OWNER, client: 'console' });
      seen.add((grant = next).token);
    }
    expect(seen.size).toBe(6);
    expect(reused).toEqual([]);
  });

  it('stores no token, address or agent', async () => {
    rules = { ...rules, binding: 'client+address+agent' };
    const first = await tokens.begin(OWNER, AT_HOME);
    const second = await use(first.token);
    const stored = JSON.stringify([...keys.keys]);
    for (const { token } of [first, second]) {
      expect(stored).not.toContain(token);
      expect(stored).not.toContain(token.slice(30, 60));
    }
    expect(stored).not.toContain('192.0.2');
    expect(stored).not.toContain('Browser');
    expect(stored).toContain(digestOf(second.token));
  });

  it('gives racing uses the same successor inside of the grace', async () => {
    const { token } = await tokens.begin(OWNER, AT_HOME);
    const raced = await Promise.all(Array.from({ length: 50 }, () => use(token)));
    clock.advance(10_000);
    expect(new Set([...raced, await use(token)].map((grant) => grant.token)).size).toBe(1);
    expect(reused).toEqual([]);
  });

  it('ends the family when a used token comes after the grace, and reports it', async () => {
    const first = await tokens.begin(OWNER, AT_HOME);
    const second = await use(first.token);
    clock.advance(10_001);
    const thief = { client: 'console', address: '203.0.113.9', agent: 'curl' };
    expect(await codeOf(first.token, thief)).toBe('AUTH_108');
    const { family } = first;
    expect(reused).toEqual([{ family, tenant: 'acme', principal: 'ann', client: 'console', presenter: thief }]);
    expect(await codeOf(second.token)).toBe('AUTH_105');
    expect(await codeOf(first.token)).toBe('AUTH_105');
    expect([...keys.keys]).toEqual([]);
  });

  it('ends the family of a token that was stolen and used before its owner, whatever the grace', async () => {
    const first = await tokens.begin(OWNER, AT_HOME);
    const stolen = await use(first.token);
    const thiefs = await use(stolen.token);
    // The owner still has the first one; two uses have passed since.
    expect(await codeOf(first.token)).toBe('AUTH_108');
    expect(await codeOf(thiefs.token)).toBe('AUTH_105');
    expect(reused).toHaveLength(1);
  });

  it('does nothing for a made-up token of a true family', async () => {
    const { token, family } = await tokens.begin(OWNER, AT_HOME);
    const other = new RefreshTokenTexts(Buffer.alloc(32, 2));
    const madeUp = [
      other.make(family),
      `umr_${family}${'0'.repeat(65)}`,
      token.slice(0, 30) + (token[30] === 'A' ? 'B' : 'A') + token.slice(31),
      token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A'),
      `${token} `,
      token.slice(4),
      '',
      'x'.repeat(100_000),
    ];
    for (const text of madeUp) {
      expect(await codeOf(text)).toBe('AUTH_102');
      expect(await tokens.revoke(text, 'console')).toBeNull();
    }
    expect(reused).toEqual([]);
    expect(await codeOf(token)).toBe('accepted');
  });

  it('answers for an authentic token of a family that never was as for one that was revoked', async () => {
    const texts = new RefreshTokenTexts(master);
    expect(await codeOf(texts.make(texts.makeFamily('acme', 'ann')))).toBe('AUTH_105');
  });

  it.each([
    ['client', { client: 'other' }, 'AUTH_107'],
    ['client', { address: '203.0.113.9', agent: 'curl' }, 'accepted'],
    ['client+address', { address: '203.0.113.9' }, 'AUTH_107'],
    ['client+address', { address: '192.0.2.99', agent: 'curl' }, 'accepted'],
    ['client+address', { address: '::ffff:192.0.2.1' }, 'accepted'],
    ['client+address+agent', { agent: 'curl' }, 'AUTH_107'],
    ['client+address+agent', { address: '192.0.3.7' }, 'AUTH_107'],
    ['client+address+agent', {}, 'accepted'],
  ] as const)('bound to %s: used by %j is %s, and the owner goes on', async (binding, change, code) => {
    rules = { ...rules, binding };
    const first = await tokens.begin(OWNER, AT_HOME);
    expect(await codeOf(first.token, { ...AT_HOME, ...change })).toBe(code);
    expect(await codeOf(first.token)).toBe('accepted');
    expect(reused).toEqual([]);
  });

  it('is as strict as the rules say now, from the next use on', async () => {
    const first = await tokens.begin(OWNER, AT_HOME);
    rules = { ...rules, binding: 'client+address' };
    const away = { ...AT_HOME, address: '203.0.113.9' };
    const second = await use(first.token, away);
    expect(await codeOf(second.token)).toBe('AUTH_107');
    rules = { ...rules, binding: 'client' };
    expect(await codeOf(second.token)).toBe('accepted');
  });

  it('ends by idleness and by age', async () => {
    const idle = await tokens.begin(OWNER, AT_HOME);
    const busy = await tokens.begin(OWNER, AT_HOME);
    let { token } = busy;
    const step = rules.refreshIdle * 1000;
    clock.advance(step - 1);
    token = (await use(token)).token;
    clock.advance(1);
    expect(await codeOf(idle.token)).toBe('AUTH_103');
    clock.advance(step - 2);
    token = (await use(token)).token;
    clock.set(busy.endsAt - 1);
    token = (await use(token)).token;
    clock.advance(1);
    expect(await codeOf(token)).toBe('AUTH_103');
    expect(reused).toEqual([]);
  });

  it('keeps one lease for the life of a family', async () => {
    const granted: number[] = [];
    const grant = keys.grant.bind(keys);
    keys.grant = (seconds) => grant((granted.push(seconds), seconds));
    const { token, family } = await tokens.begin(OWNER, AT_HOME);
    const lease = keys.keys.get(family)?.lease;
    await use(token);
    expect(granted).toEqual([rules.refreshTtl]);
    expect(keys.keys.get(family)?.lease).toBe(lease);
    await keys.revoke(lease ?? '');
    expect(await codeOf(token)).toBe('AUTH_105');
  });

  it('bears clocks that differ by less than the skew, and no more', async () => {
    const near = await tokens.begin(OWNER, AT_HOME);
    const far = await tokens.begin(OWNER, AT_HOME);
    await Promise.all([use(near.token), use(far.token)]);
    clock.jump(-30_000);
    expect(await codeOf(near.token)).toBe('accepted');
    clock.jump(-1);
    expect(await codeOf(far.token)).toBe('AUTH_108');
  });

  it('finds its successor when the answer to the commit was lost', async () => {
    const { token } = await tokens.begin(OWNER, AT_HOME);
    const commit = keys.commit.bind(keys);
    keys.commit = async (change) => {
      keys.commit = commit;
      await commit(change);
      return null;
    };
    const { token: successor } = await use(token);
    expect((await use(token)).token).toBe(successor);
    expect(await codeOf(successor)).toBe('accepted');
  });

  it('reports a reuse although the answer to the commit was lost', async () => {
    const { token } = await tokens.begin(OWNER, AT_HOME);
    await use(token);
    clock.advance(60_000);
    const commit = keys.commit.bind(keys);
    keys.commit = async (change) => (await commit(change), null);
    expect(await codeOf(token)).toBe('AUTH_108');
    expect(reused).toHaveLength(1);
  });

  it('gives up when every try loses', async () => {
    const { token } = await tokens.begin(OWNER, AT_HOME);
    keys.commit = () => Promise.resolve(null);
    await expect(use(token)).rejects.toMatchObject({ code: 'storageUnavailable' });
  });

  it('revokes by any token of the family, for its client alone', async () => {
    const first = await tokens.begin(OWNER, AT_HOME);
    const second = await use(first.token);
    expect(await tokens.revoke(first.token, 'other')).toBeNull();
    expect(await tokens.revoke(first.token, 'console')).toMatchObject({ family: first.family, token: '' });
    expect(await codeOf(second.token)).toBe('AUTH_105');
    expect(await tokens.revoke(first.token, 'console')).toBeNull();
  });

  it('revokes all of a principal and nobody else', async () => {
    const own = [await tokens.begin(OWNER, AT_HOME), await tokens.begin(OWNER, AT_HOME)];
    const others = [
      await tokens.begin({ ...OWNER, tenant: 'other' }, AT_HOME),
      await tokens.begin({ ...OWNER, principal: 'bob' }, AT_HOME),
    ];
    expect(await tokens.revokeAll('acme', 'ann')).toBe(2);
    for (const { token } of own) expect(await codeOf(token)).toBe('AUTH_105');
    for (const { token } of others) expect(await codeOf(token)).toBe('accepted');
  });

  it('inspects a token without using it', async () => {
    const { token } = await tokens.begin(OWNER, AT_HOME);
    expect(await tokens.inspect(token)).toMatchObject({ ...OWNER, token: '' });
    await use(token);
    expect(await tokens.inspect(token)).toBeNull();
    expect(await tokens.inspect('umr_x')).toBeNull();
  });

  it('holds a bounded number of families of a principal: the longest idle makes room', async () => {
    const grants: RefreshGrant[] = [];
    for (let i = 0; i < 64; i++) {
      grants.push(await tokens.begin(OWNER, AT_HOME));
      clock.advance(1);
    }
    const [first, second] = grants as [RefreshGrant, RefreshGrant];
    const renewed = await use(first.token);
    await tokens.begin(OWNER, AT_HOME);
    expect(keys.keys.size).toBe(64);
    expect(await codeOf(second.token)).toBe('AUTH_105');
    expect(await codeOf(renewed.token)).toBe('accepted');
  });

  it.each([
    ['{"format":9}', 'has format 9; this version reads 1 only'],
    ['{"format":1}', 'damaged'],
  ])('refuses the record %s by name', async (value, message) => {
    const { token, family } = await tokens.begin(OWNER, AT_HOME);
    await keys.commit({ guards: [], puts: [{ key: family, value }] });
    await expect(tokens.use(token, AT_HOME)).rejects.toThrow(message);
  });
});
