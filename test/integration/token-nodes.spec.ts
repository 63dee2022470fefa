import { DenialList } from '../../src/auth/tokens/denial-list.js';
import { RefreshTokens, type RefreshGrant, type ReuseReport } from '../../src/auth/tokens/refresh-tokens.js';
import { SIGNING_KEYS, SigningKeys } from '../../src/auth/tokens/signing-keys.js';
import { DEFAULT_RULES } from '../../src/auth/tokens/token-rules.js';
import { SYSTEM_CLOCK } from '../../src/resilience/clock.js';
import { etcdKeys, type EtcdKeysFixture } from '../harness/etcd-cluster-keys.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { until } from '../harness/until.js';

const masterKey = Buffer.alloc(32, 1);
const OWNER = { tenant: 'acme', principal: 'ann', scopes: [] };
const PRESENTER = { client: 'console', address: '127.0.0.1', agent: '' };
/** Minutes of grace: no busy machine makes a race of these tests a reuse. */
const RULES = { ...DEFAULT_RULES, reuseGrace: 600 };

let server: EtcdServer;
/** The keys of two nodes of one cluster. */
let fixtures: EtcdKeysFixture[];
let reused: ReuseReport[];
let nodes: RefreshTokens[];
let places = 0;

beforeAll(async () => (server = await startEtcd()));
afterAll(() => server.stop());
beforeEach(() => {
  const prefix = `/tokens/${places++}/`;
  reused = [];
  fixtures = [0, 1].map(() => etcdKeys([server.endpoint], { prefix }));
  nodes = fixtures.map(({ keys }) => {
    const onReuse = (report: ReuseReport) => void reused.push(report);
    const parts = { keys: keys.under('refresh/'), masterKey, clock: SYSTEM_CLOCK, rules: () => RULES, onReuse };
    return new RefreshTokens(parts);
  });
});
afterEach(() => Promise.all(fixtures.map((fixture) => fixture.close())));

const node = (index: number): RefreshTokens => nodes[index % nodes.length] as RefreshTokens;
const leases = async () => (await server.client.leaseClient.leaseLeases()).leases.length;

it('gives two hundred uses that race over two nodes one successor, round after round', async () => {
  let { token } = await node(0).begin(OWNER, PRESENTER);
  const seen = new Set([token]);
  for (let round = 0; round < 5; round++) {
    const uses = Array.from({ length: 200 }, (_, i) => node(i).use(token, PRESENTER) as Promise<RefreshGrant>);
    const successors = new Set((await Promise.all(uses)).map((grant) => grant.token));
    expect(successors.size).toBe(1);
    [token = ''] = successors;
    seen.add(token);
  }
  expect(seen.size).toBe(6);
  expect(reused).toEqual([]);
});

it('ends the family when an old token races with the present one, whoever is first', async () => {
  const before = await leases();
  const first = await node(0).begin(OWNER, PRESENTER);
  const second = (await node(1).use(first.token, PRESENTER)) as RefreshGrant;
  const third = (await node(0).use(second.token, PRESENTER)) as RefreshGrant;
  await Promise.all([first, third].map(({ token }, i) => node(i).use(token, PRESENTER)));
  for (const { token } of [first, second, third]) {
    expect(await node(1).use(token, PRESENTER)).toMatchObject({ code: 'AUTH_105' });
  }
  expect(reused.length).toBeGreaterThan(0);
  // Nothing is left behind: neither the record nor its lease.
  expect(await leases()).toBe(before);
});

it('makes one ring of signing keys for nodes that start together', async () => {
  const signing = fixtures.map(({ keys }) => new SigningKeys(keys, masterKey, SYSTEM_CLOCK));
  await Promise.all(signing.map((keys) => keys.open()));
  const [a, b] = signing as [SigningKeys, SigningKeys];
  expect(a.current.kid).toBe(b.current.kid);
  await Promise.all([a.rotate(), b.rotate()]);
  // Both rotations took place, one after the other.
  await Promise.all(signing.map((keys) => keys.open()));
  expect(a.published()).toEqual(b.published());
  expect(a.published().keys).toHaveLength(4);
});

it('denies on every node what one has denied, and signs with what one has rotated to', async () => {
  const [a, b] = [watching(0), watching(1)];
  const stop = new AbortController();
  await Promise.all([a.signing.open(), b.signing.open()]);
  b.keys.under('denials/').watch('', b.denials, stop.signal);
  b.keys.watch(SIGNING_KEYS, b.signing, stop.signal);
  await a.denials.deny({ kind: 'tenant', tenant: 'acme' });
  const token = { issuer: 'i', id: 'j', tenant: 'acme', principal: 'ann', issuedAt: Date.now() };
  await until('the other node denies it', () => b.denials.faultOf(token));
  await a.signing.rotate();
  await until('the other node signs with the new key', () => b.signing.current.kid === a.signing.current.kid);
  stop.abort();
});

function watching(index: number) {
  const { keys } = fixtures[index] as EtcdKeysFixture;
  const denials = new DenialList(keys.under('denials/'), SYSTEM_CLOCK);
  return { keys, denials, signing: new SigningKeys(keys, masterKey, SYSTEM_CLOCK) };
}
