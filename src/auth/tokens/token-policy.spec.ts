import fc from 'fast-check';
import { anyCharacter } from '../../../test/harness/any-character.js';
import { LiveTokenPolicy } from './live-token-policy.js';
import { MAX_POLICY_BYTES, parseTokenPolicy, problemText, rulesOf, type TokenPolicy } from './token-policy.js';
import { DEFAULT_RULES } from './token-rules.js';

const problems = (text: string): string[] => {
  const read = parseTokenPolicy(text);
  return 'rules' in read ? [] : read.map(problemText);
};
const policy = (text: string): TokenPolicy => {
  expect(problems(text)).toEqual([]);
  return parseTokenPolicy(text) as TokenPolicy;
};

const FULL = `
# The shipped file.
ttl: 3600s
grace_period: 5m
force_rotate: true
refresh_ttl: 60d
refresh_idle: 20d
reuse_grace: 0s
clock_skew: 1m
binding: client+address
tenants:
  acme:
    ttl: 15m
    binding: client+address+agent
  "other": { ttl: 2h }
`;

describe('parseTokenPolicy', () => {
  it('reads every key, and what a tenant has of its own', () => {
    const read = policy(FULL);
    const rules = {
      ...{ ttl: 3600, gracePeriod: 300, forceRotate: true, refreshTtl: 5_184_000, refreshIdle: 1_728_000 },
      ...{ reuseGrace: 0, clockSkew: 60, binding: 'client+address' },
    };
    expect(read.rules).toEqual(rules);
    expect(rulesOf(read, 'acme')).toEqual({ ...rules, ttl: 900, binding: 'client+address+agent' });
    expect(rulesOf(read, 'other')).toEqual({ ...rules, ttl: 7200 });
    expect(rulesOf(read, 'elsewhere')).toEqual(rules);
    expect(rulesOf(read, '__proto__')).toEqual(rules);
  });

  it('fills what is not said with the defaults', () => {
    expect(policy('ttl: 3600s').rules).toEqual(DEFAULT_RULES);
  });

  it.each([
    ['', '1:1: the file is empty'],
    ['# nothing', '1:1: the file is empty'],
    ['grace_period: 1s', '1:1: ttl is missing'],
    ['ttl: 3600', '1:6: ttl must be a whole number with a unit: s, m, h or d, such as 60s'],
    ['ttl: 1h30m', '1:6: ttl must be a whole number with a unit'],
    ['ttl: 1.5h', '1:6: ttl must be a whole number with a unit'],
    ['ttl: -1h', '1:6: ttl must be a whole number with a unit'],
    ['ttl: 1 h', '1:6: ttl must be a whole number with a unit'],
    ['ttl: 1w', '1:6: ttl must be a whole number with a unit'],
    ['ttl:', '1:5: ttl must be a whole number with a unit'],
    ['ttl: [1h]', '1:6: ttl must be a whole number with a unit'],
    ['ttl: 59s', '1:6: ttl must be from 60s to 86400s'],
    ['ttl: 999999999d', '1:6: ttl must be from 60s to 86400s'],
    ['ttl: 1h\nttl: 2h', '2:1: ttl is there twice'],
    ['ttl: 1h\n"ttl": 2h', '2:1: ttl is there twice'],
    ['ttl: 1h\nttls: 2h', '2:1: ttls is not known; the keys are ttl, grace_period,'],
    ['ttl: 1h\n__proto__: 2h', '2:1: __proto__ is not known'],
    ['ttl: 1h\ntoString: 2h', '2:1: toString is not known'],
    ['ttl: 1h\n<<: {ttl: 2h}', '2:1: << is not known'],
    ['ttl: 1h\nforce_rotate: yes', '2:15: force_rotate must be true or false'],
    ['ttl: 1h\nbinding: address', '2:10: binding must be client or client+address'],
    ['ttl: 1h\nrefresh_ttl: 1d', '2:14: refresh_idle must not be longer than refresh_ttl (86400s)'],
    ['ttl: 1h\n1: 2h', '2:1: a key must be a text'],
    ['ttl: 1h\n? [a, b]\n: 2h', '2:3: a key must be a text'],
    ['ttl: 1h\ntenants: [acme]', '2:10: tenants must be a map'],
    ['ttl: 1h\ntenants:', '2:'],
    ['ttl: 1h\ntenants: {acme: 1h}', '2:17: tenants.acme must be a map of rules'],
    ['ttl: 1h\ntenants:\n  acme:\n    ttl: 1', '4:10: ttl must be a whole number with a unit'],
    ['ttl: 1h\ntenants:\n  acme: {}\n  acme: {}', '4:3: acme is there twice'],
    ['ttl: 1h\ntenants:\n  a/b: {}', '3:3: the id of a tenant has 1 to 64 characters'],
    ['ttl: 1h\ntenants:\n  acme:\n    tenants: {}', '4:5: tenants is not known'],
    ['ttl: &a 1h', '1:9: the anchor &a is not allowed'],
    ['ttl: &a 1h\nclock_skew: *a', '2:13: the alias *a is not allowed'],
    ['ttl: !!str 1h', '1:12: the tag tag:yaml.org,2002:str is not allowed'],
    ['ttl: !!js/function 1h', '1:6: Unresolved tag'],
    ['%YAML 1.1\n---\nttl: 1h', '1:1: directives are not allowed'],
    ['ttl: 1h\n---\nttl: 2h', 'there is a second document'],
    ['- ttl: 1h', '1:1: the file must be a map'],
    ['ttl', '1:1: the file must be a map'],
    ['ttl: 1h\n\tclock_skew: 1s', '2:'],
    ['ttl: {', '1:'],
    ['ttl: "1h', '1:'],
  ])('refuses %j with %j', (text, problem) => {
    expect(problems(text).join('\n')).toContain(problem);
  });

  it('tells every problem at once, in their order', () => {
    expect(problems('binding: x\nttl: 1\nfoo: 1').map((text) => text.split(': ')[0])).toEqual(['1:10', '2:6', '3:1']);
  });

  it('tells a bounded number of problems', () => {
    const text = Array.from({ length: 5_000 }, (_, i) => `k${i}: 1`).join('\n');
    expect(problems(text)).toHaveLength(20);
  });

  it('refuses more than 64 KiB before it reads any', () => {
    expect(problems(`ttl: 1h\n#${'x'.repeat(MAX_POLICY_BYTES)}`)).toEqual([
      `1:1: the file has ${MAX_POLICY_BYTES + 9} bytes; at most ${MAX_POLICY_BYTES} are allowed`,
    ]);
    policy(`ttl: 1h\n#${'x'.repeat(MAX_POLICY_BYTES - 9)}`);
  });

  const bomb = [
    'a: &a [x, x]',
    ...'bcdefghijk'.split('').map((c, i) => `${c}: &${c} [${`*${'abcdefghij'[i]}, `.repeat(9)}]`),
  ];
  it.each([
    ['a bomb of aliases', `ttl: 1h\n${bomb.join('\n')}`, 'is not allowed'],
    ['an alias of itself', 'ttl: &a [*a]', 'is not allowed'],
    ['brackets without end', `ttl: ${'['.repeat(60_000)}`, '1:1: more than 16 brackets are open'],
    ['braces without end', `ttl: 1h\nx: ${'{a: '.repeat(16_000)}`, '2:1: more than 16 brackets are open'],
    ['lists in lists on one line', `ttl: 1h\nx:\n  ${'- '.repeat(30_000)}`, '3:1: it is nested too deeply'],
    ['keys in keys on one line', `${'? '.repeat(30_000)}x`, '1:1: it is nested too deeply'],
    ['a staircase', Array.from({ length: 300 }, (_, i) => `${' '.repeat(i)}k:`).join('\n'), 'it is nested too deeply'],
    ['a long list', `ttl: 1h\nx: [${'a,'.repeat(32_000)}]`, '2:1: more than 5000 lines and commas'],
    ['too many keys', 'k:\n'.repeat(9_000), '5001:1: more than 5000 lines and commas'],
    ['many keys', Array.from({ length: 4_900 }, (_, i) => `k${i}:`).join('\n'), 'is not known'],
    ['one key again and again', 'a: 1\n'.repeat(4_900), 'a is there twice'],
    ['many documents', 'a: 1\n---\n'.repeat(2_400), 'there is a second document'],
  ])('refuses %s', (_what, text, problem) => {
    expect(problems(text).join('\n')).toContain(problem);
  });

  it('answers any text with a policy or with places inside of it', () => {
    const pieces = fc.constantFrom(
      'ttl: 1h',
      '\n',
      '  ',
      'tenants:',
      'acme:',
      '{',
      '}',
      '[',
      '- ',
      '&a ',
      '*a',
      '"',
      '#',
      ': ',
      '? ',
      '|',
      '!x ',
      '\t',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(pieces).map((all) => all.join('')),
          fc.string({ unit: anyCharacter }),
        ),
        (text) => {
          const read = parseTokenPolicy(text);
          if ('rules' in read) return;
          expect(read.length).toBeGreaterThan(0);
          for (const { line, column } of read) {
            expect(line).toBeLessThanOrEqual(text.split('\n').length);
            expect(line * column).toBeGreaterThan(0);
          }
        },
      ),
    );
  });
});

describe('LiveTokenPolicy', () => {
  it('swaps as a whole, and keeps the earlier policy when a file is refused', () => {
    const live = new LiveTokenPolicy();
    expect(live.rules('acme')).toEqual(DEFAULT_RULES);
    expect(live.replace(FULL)).toEqual([]);
    const before = live.policy;
    expect(live.replace('ttl: 2h\nfoo: 1')).toHaveLength(1);
    expect(live.policy).toBe(before);
    expect(live.rules('acme').ttl).toBe(900);
    expect(live.replace(null)).toEqual([]);
    expect(live.rules('acme')).toEqual(DEFAULT_RULES);
  });
});
