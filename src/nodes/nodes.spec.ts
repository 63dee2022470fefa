import { until } from '../../test/harness/until.js';
import { ServiceError } from '../errors/service-error.js';
import type { KeyChange } from '../store/cluster-keys.js';
import { MemoryClusterKeys } from '../store/memory/memory-cluster-keys.js';
import type { Shedding } from '../mqtt/built-in/connections/shedding.js';
import { SILENT_LOGGER } from '../telemetry/logger.js';
import { excessOf, meanOf } from './fair-share.js';
import { NodeLoad } from './node-load.js';
import { ASKED, LOADS_PATH, readOrder, readWord, SAID } from './node-word.js';
import { Nodes } from './nodes.js';

/** Sheds as its test says. */
class PacedShedding {
  closed = 0;
  isDone = false;
  finish = (): void => undefined;
  readonly done: Promise<void>;

  constructor(readonly connections: number) {
    this.done = new Promise((resolve) => {
      this.finish = () => ((this.isDone = true), (this.closed = connections), resolve());
    });
  }
}

let keys: MemoryClusterKeys;
const loads: NodeLoad[] = [];

/** A node with so many connections, and what it was asked to shed. */
function node(name: string, connections: number, isDraining = false) {
  const asked: [connections: number, withinMs: number][] = [];
  const paced: PacedShedding[] = [];
  const load = new NodeLoad({
    ...{ keys, node: name, logger: SILENT_LOGGER, count: () => connections, isDraining: () => isDraining },
    shed: (count, withinMs) => {
      asked.push([count, withinMs]);
      paced.push(new PacedShedding(count));
      return paced.at(-1) as unknown as Shedding;
    },
  });
  load.start();
  loads.push(load);
  return { load, asked, paced };
}

const call = { spreadMs: 500, by: 'ada' };

beforeEach(() => {
  keys = new MemoryClusterKeys();
});
afterEach(async () => {
  for (const each of loads.splice(0)) await each.close();
});

/** Nodes of which all have said how many connections they have. */
async function known(count: number, waitMs?: number): Promise<Nodes> {
  const nodes = new Nodes(keys, waitMs);
  await until('the words of the nodes', async () => {
    const { words } = await nodes.state();
    return [...words.values()].filter((word) => word !== null).length === count;
  });
  return nodes;
}

it.each([
  [[], null],
  [[[5, false]], 5],
  [[[400, false], [200, false], [0, false]], 200], // prettier-ignore
  [[[400, false], [100, true], [100, false]], 250], // prettier-ignore
  [[[7, true]], null],
] as const)('%j: the mean is %j', (counts, mean) =>
  expect(meanOf(counts.map(([connections, isDraining]) => ({ connections, isDraining })))).toBe(mean),
);

it.each([
  [400, 200, 200],
  [200, 200, 0],
  [4, 10 / 3, 0],
  [5, 10 / 3, 1],
  [9, null, 0],
])('%i connections at a mean of %j: %i are above it', (connections, mean, excess) =>
  expect(excessOf({ connections }, mean)).toBe(excess),
);

it.each(['', '[]', 'null', '7', '{}', '{"instance":"a","connections":-1}', '{"instance":1,"connections":1}'])(
  '%s says nothing',
  (text) => expect([readWord(text), readOrder(text)]).toEqual([null, null]),
);

it('sheds what is above the mean on the node that is asked, and says how far it is', async () => {
  const [full, longer] = [node('n1', 300), node('n10', 0)];
  const nodes = await known(2);
  const { planned, state } = await nodes.shed('n1', call);
  expect([planned, state.mean]).toEqual([150, 150]);
  expect([full.asked, longer.asked]).toEqual([[[150, 500]], []]);
  expect(state.words.get('n1')?.shed).toMatchObject({ connections: 150, closed: 0, isDone: false });
  await expect(nodes.shed('n1', call)).rejects.toThrow('node n1 is shedding: 0 of 150 are gone');
  full.paced[0]!.finish();
  await until('its end', async () => (await nodes.state()).words.get('n1')?.shed?.isDone);
  expect((await nodes.state()).words.get('n1')?.shed).toMatchObject({ closed: 150 });
  expect((await nodes.shed('n1', { ...call, connections: 9_999 })).planned).toBe(300);
});

it('has nothing to shed on a node that is not above the mean', async () => {
  const { asked } = node('n1', 10);
  node('n2', 10);
  node('n3', 500, true);
  const nodes = await known(3);
  expect((await nodes.shed('n1', call)).planned).toBe(0);
  expect(asked).toEqual([]);
});

it('refuses what no node would obey', async () => {
  node('n1', 10, true);
  await keys.under('nodes/').commit({ guards: [], puts: [{ key: 'old', value: '{}' }] });
  const nodes = await known(1);
  expect([...(await nodes.state()).words.keys()]).toEqual(['n1', 'old']);
  await expect(nodes.shed('n1', call)).rejects.toThrow('node n1 is shutting down');
  await expect(nodes.shed('old', call)).rejects.toThrow('node old says nothing of its connections');
  await expect(nodes.shed('away', call)).rejects.toMatchObject({ code: 'noRecord' });
});

it('an order that its node does not take is taken back, and a later life of the node does not obey one', async () => {
  const { load, asked } = node('n1', 10);
  const nodes = await known(1, 100);
  const word = (await keys.under(LOADS_PATH).list(SAID)).get(`${SAID}n1`)!.value;
  await load.close();
  await keys.under(LOADS_PATH).commit({ guards: [], puts: [{ key: `${SAID}n1`, value: word }] });
  await expect(nodes.shed('n1', { ...call, connections: 5 })).rejects.toThrow('node n1 does not begin');
  expect((await keys.under(LOADS_PATH).list(ASKED)).size).toBe(0);
  const order = { id: 'x', instance: 'an earlier life', connections: 1, spreadMs: 0, by: 'ada' };
  await keys.under(LOADS_PATH).commit({ guards: [], puts: [{ key: `${ASKED}n1`, value: JSON.stringify(order) }] });
  const later = node('n1', 10);
  await known(1);
  await until(
    'its word',
    async () => !(await keys.under(LOADS_PATH).list(SAID)).get(`${SAID}n1`)?.value.includes(word),
  );
  expect([asked, later.asked]).toEqual([[], []]);
});

/** Keys of an etcd that goes away once something was committed. */
class KeysThatEnd extends MemoryClusterKeys {
  constructor(
    private readonly inner: MemoryClusterKeys,
    private readonly life = { isOver: false },
  ) {
    super();
  }
  override under(path: string): KeysThatEnd {
    return new KeysThatEnd(this.inner.under(path) as MemoryClusterKeys, this.life);
  }
  override grant = (): Promise<string> => this.inner.grant(30);
  override list(prefix: string) {
    return this.life.isOver ? Promise.reject(new ServiceError('storageUnavailable')) : this.inner.list(prefix);
  }
  override commit(change: KeyChange) {
    this.life.isOver = true;
    return this.inner.commit(change);
  }
}

it('an order that was given before etcd went away has no known outcome', async () => {
  const { asked } = node('n1', 10);
  await known(1);
  const nodes = new Nodes(new KeysThatEnd(keys), 100);
  await expect(nodes.shed('n1', { ...call, connections: 5 })).rejects.toMatchObject({ code: 'outcomeUnknown' });
  await until('the order', () => asked.length > 0);
});
