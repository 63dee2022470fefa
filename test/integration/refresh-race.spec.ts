import { RefreshTokens, type RefreshGrant, type ReuseReport } from '../../src/auth/tokens/refresh-tokens.js';
import { SigningKeys } from '../../src/auth/tokens/signing-keys.js';
import { DEFAULT_RULES } from '../../src/auth/tokens/token-rules.js';
import { SYSTEM_CLOCK } from '../../src/resilience/clock.js';
import { EtcdClusterKeys } from '../../src/store/etcd/etcd-cluster-keys.js';
import type { EtcdStore } from '../../src/store/etcd/open-etcd.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { openEtcdStore } from '../harness/etcd-store.js';

const master = Buffer.alloc(32, 1);
const OWNER = { tenant: 'acme', principal: 'ann', scopes: [] };
const PRESENTER = { client: 'console', address: '127.0.0.1', agent: '' };
/** Minutes of grace: no busy machine makes a race of these tests a reuse. */
const RULES = { ...DEFAULT_RULES, reuseGrace: 600 };

let server: EtcdServer;
let stores: EtcdStore[];
let reused: ReuseReport[];
let nodes: RefreshTokens[];
let places = 0;

beforeAll(async () => (server = await startEtcd()));
afterAll(() => server.stop());
beforeEach(() => {
  const place = `/refresh/${places++}/`;
  reused = [];
  stores = [0, 1].map(() => openEtcdStore([server.endpoint]));
  nodes = stores.map(({ cluster }) => {
    const keys = new EtcdClusterKeys(cluster, place, SYSTEM_CLOCK);
    const onReuse = (report: ReuseReport) => void reused.push(report);
    return new RefreshTokens({ keys, masterKey: master, clock: SYSTEM_CLOCK, rules: () => RULES, onReuse });
  });
});
afterEach(() => Promise.all(stores.map((store) => store.close())));

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
  const signing = stores.map(
    ({ cluster }) => new SigningKeys(new EtcdClusterKeys(cluster, '/signing/', SYSTEM_CLOCK), master, SYSTEM_CLOCK),
  );
  await Promise.all(signing.map((keys) => keys.open()));
  const [a, b] = signing as [SigningKeys, SigningKeys];
  expect(a.current.kid).toBe(b.current.kid);
  await Promise.all([a.rotate(), b.rotate()]);
  // Both rotations took place, one after the other.
  await Promise.all(signing.map((keys) => keys.open()));
  expect(a.published()).toEqual(b.published());
  expect(a.published().keys).toHaveLength(4);
});
