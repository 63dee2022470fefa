import { X509Certificate } from 'node:crypto';
import * as x509 from '../../../test/harness/x509.js';
import { checkAuthority, readAuthority, type AuthorityRecord } from './authority.js';
import { CaRegistry, MAX_NAMESAKES } from './ca-registry.js';
import { checkDevice } from './device-certificate.js';
import { checkPossession } from './possession.js';
import { Revocations } from './revocations.js';

const { basicConstraints, keyUsage, issueAuthority } = x509;
const { extendedKeyUsage, extension, sequence, subjectKeyId } = x509;

let age = 0;
const recordOf = ({ pem }: Pick<x509.Issued, 'pem'>, more: Partial<AuthorityRecord> = {}): AuthorityRecord => ({
  ...{
    tenant: 'acme',
    pem,
    nameFrom: 'commonName',
    isDisabled: false,
    registersAtFirstSight: true,
    registeredAtMs: ++age,
  },
  ...more,
});

function tenantOf(leaf: x509.Issued, authorities: CaRegistry): string {
  const trust = { authorities, revocations: Revocations.NONE, skewMs: 0 };
  const check = checkDevice(new X509Certificate(leaf.der), trust, Date.now());
  return check.kind === 'device' ? check.device.tenant : check.fault.reason;
}

describe('an authority', () => {
  const good = [basicConstraints(true), keyUsage(0x06)];
  it.each<[string, () => { pem: string }]>([
    ['with all extensions', () => issueAuthority()],
    ['without a key usage', () => issueAuthority({ extensions: [basicConstraints(true)] })],
    ['for clients', () => issueAuthority({ extensions: [...good, extendedKeyUsage(x509.CLIENT_AUTH_ID)] })],
    ['with RSA', () => issueAuthority({ keys: x509.rsaKeys(2048) })],
    ['with text around its PEM', () => ({ pem: `subject=x\n${issueAuthority().pem}\n` })],
  ])('%s is taken', (_title, made) => {
    expect(readAuthority(recordOf(made()))).toMatchObject({ tenant: 'acme', registersAtFirstSight: true });
  });

  it.each<[string, () => { pem: string }, RegExp]>([
    ['of no authority', () => x509.issue(null, { extensions: [basicConstraints(false)] }), /CA:TRUE/],
    ['without extensions', () => x509.issue(null), /CA:TRUE/],
    ['without keyCertSign', () => issueAuthority({ extensions: [basicConstraints(true), keyUsage(0x80)] }), /keyCertSign/], // prettier-ignore
    ['for servers', () => issueAuthority({ extensions: [...good, extendedKeyUsage(x509.SERVER_AUTH_ID)] }), /clientAuth/], // prettier-ignore
    ['with name constraints', () => issueAuthority({ extensions: [...good, extension('551d1e', sequence(), true)] }), /critical/], // prettier-ignore
    ['with RSA of 1024 bits', () => issueAuthority({ keys: x509.rsaKeys(1024) }), /2048/],
    ['with another curve', () => issueAuthority({ keys: x509.ecKeys('secp256k1') }), /P-256/],
    ['with a long name', () => issueAuthority({ name: 'x'.repeat(2000) }), /longer than 1024/],
    ['twice', () => ({ pem: issueAuthority().pem.repeat(2) }), /exactly one/],
    ['with its private key', () => ({ pem: issueAuthority().pem + issueAuthority().key }), /private key/],
    ['of no PEM', () => ({ pem: 'certificate' }), /exactly one/],
    ['of no DER', () => ({ pem: x509.pemOf(Buffer.from('text')) }), /no certificate/],
    ['of too much PEM', () => ({ pem: 'x'.repeat(1_000_000) }), /too long/],
  ])('%s is refused', (_title, made, reason) => {
    expect(() => readAuthority(recordOf(made()))).toThrow(reason);
    const { unused, size } = CaRegistry.of([recordOf(made())]);
    expect(unused.map((each) => each.reason)).toEqual([expect.stringMatching(reason)]);
    expect(size).toBe(0);
  });

  it('is to be valid and usable when it is registered', () => {
    const now = Date.now();
    const check = (ca: { pem: string }) => (): unknown => checkAuthority(recordOf(ca), now);
    expect(check(issueAuthority({ notBefore: now - 2000, notAfter: now - 1000 }))).toThrow(/expired/);
    expect(check(issueAuthority({ notBefore: now + 60_000 }))).toThrow(/not valid yet/);
    expect(check(issueAuthority())).not.toThrow();
    const { der, publicKey } = issueAuthority();
    const point = der.indexOf(publicKey.export({ format: 'der', type: 'spki' }).subarray(-64));
    // A point that is not on the curve.
    const broken = Buffer.from(der).fill(0xff, point, point + 64);
    expect(check({ pem: x509.pemOf(broken) })).toThrow(/must be RSA|no certificate/);
  });

  it('is proved to be owned', () => {
    const ca = issueAuthority();
    const authority = readAuthority(recordOf(ca));
    const proof = (issuer: x509.Issued | null, ...names: string[]): string =>
      x509.issue(issuer, { subject: x509.nameOf(...names.map((name) => x509.cn(name))) }).pem;
    expect(() => checkPossession(authority, proof(ca, 'code-1'), 'code-1')).not.toThrow();
    expect(() => checkPossession(authority, proof(ca, 'code-2'), 'code-1')).toThrow(/registration code/);
    expect(() => checkPossession(authority, proof(ca, 'code-1', 'code-2'), 'code-1')).toThrow(/only common name/);
    expect(() => checkPossession(authority, proof(ca), 'code-1')).toThrow(/registration code/);
    expect(() => checkPossession(authority, proof(null, 'code-1'), 'code-1')).toThrow(/not signed/);
    expect(() => checkPossession(authority, proof(issueAuthority(), 'code-1'), 'code-1')).toThrow(/not signed/);
  });
});

describe('the registry', () => {
  it('finds the authority among namesakes of other tenants', () => {
    const cas = ['a', 'b', 'c'].map((tenant) => ({ tenant, ca: issueAuthority() }));
    const authorities = CaRegistry.of(cas.map(({ tenant, ca }) => recordOf(ca, { tenant })));
    for (const { tenant, ca } of cas) {
      expect(tenantOf(x509.issue(ca), authorities)).toBe(tenant);
      const extensions = [x509.authorityKeyId(x509.keyIdOf(ca.publicKey))];
      expect(tenantOf(x509.issue(ca, { extensions }), authorities)).toBe(tenant);
    }
  });

  it('finds an authority that does not say its key identifier', () => {
    const ca = issueAuthority({ extensions: [basicConstraints(true)] });
    const authorities = CaRegistry.of([recordOf(ca)]);
    const { keyId } = authorities.candidates(ca.subject.toString('latin1'), null)[0]!;
    expect(tenantOf(x509.issue(ca, { extensions: [x509.authorityKeyId(Buffer.from(keyId, 'hex'))] }), authorities)).toBe('acme'); // prettier-ignore
  });

  it('gives a key to the tenant that came first, in any order of reading', () => {
    const ca = issueAuthority();
    const [first, second] = [recordOf(ca, { tenant: 'first' }), recordOf(ca, { tenant: 'second' })];
    for (const records of [
      [first, second],
      [second, first],
    ]) {
      const authorities = CaRegistry.of(records);
      expect(tenantOf(x509.issue(ca), authorities)).toBe('first');
      expect(authorities.unused).toEqual([{ record: second, reason: expect.stringContaining('same key') }]);
    }
    const own = CaRegistry.of([first]);
    expect(() => own.checkNew(readAuthority(second))).toThrow(/another tenant/);
    expect(() => own.checkNew(readAuthority(first))).toThrow(/already/);
    expect(() => own.checkNew(readAuthority(recordOf(issueAuthority())))).not.toThrow();
  });

  it('takes the settings of the latest certificate of a renewed authority', () => {
    const keys = x509.ecKeys();
    const old = recordOf(issueAuthority({ keys }));
    const renewed = recordOf(issueAuthority({ keys }), { nameFrom: 'dnsName' });
    const authorities = CaRegistry.of([renewed, old]);
    const leaf = x509.issue({ ...issueAuthority({ keys }), privateKey: keys.privateKey });
    expect(tenantOf(leaf, authorities)).toBe('noName');
  });

  it('asks few authorities, however many have one name and key identifier', () => {
    const extensions = [basicConstraints(true), subjectKeyId(Buffer.alloc(20, 7))];
    const cas = Array.from({ length: MAX_NAMESAKES + 2 }, () => issueAuthority({ extensions }));
    const records = cas.map((ca, index) => recordOf(ca, { tenant: `t${index}` }));
    const authorities = CaRegistry.of(records);
    const name = cas[0]!.subject.toString('latin1');
    expect(authorities.candidates(name, null)).toHaveLength(MAX_NAMESAKES);
    expect(authorities.candidates(name, '07'.repeat(20))).toHaveLength(MAX_NAMESAKES);
    // Who came first stays.
    expect(tenantOf(x509.issue(cas[0]!), authorities)).toBe('t0');
    expect(tenantOf(x509.issue(cas.at(-1)!), authorities)).toBe('unknownIssuer');
    expect(authorities.unused.map(({ record }) => record.tenant)).toEqual(['t8', 't9']);
    expect(() => authorities.checkNew(readAuthority(records.at(-1)!))).toThrow(/another name/);
  });

  it('knows later namesakes by their key identifier', () => {
    const cas = Array.from({ length: MAX_NAMESAKES + 2 }, () => issueAuthority());
    const authorities = CaRegistry.of(cas.map((ca, index) => recordOf(ca, { tenant: `t${index}` })));
    const last = cas.at(-1)!;
    const extensions = [x509.authorityKeyId(x509.keyIdOf(last.publicKey))];
    expect(authorities.unused).toEqual([]);
    expect(tenantOf(x509.issue(last, { extensions }), authorities)).toBe('t9');
    expect(tenantOf(x509.issue(last), authorities)).toBe('unknownIssuer');
  });

  it('goes on with what is good, and parses nothing twice', () => {
    const record = recordOf(issueAuthority());
    const first = CaRegistry.of([record]);
    const junk = [null, {}, { tenant: 1, pem: 2 }] as unknown as AuthorityRecord[];
    const second = CaRegistry.of([...junk, record], first);
    const { caId } = readAuthority(record);
    expect(second.unused).toHaveLength(3);
    expect(second.get('acme', caId)).toBe(first.get('acme', caId));
    expect(second.get('other', caId)).toBeUndefined();
    expect(CaRegistry.of([], second).size).toBe(0);
  });
});
