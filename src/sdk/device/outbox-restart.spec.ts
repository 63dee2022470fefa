import { ManualClock } from '../testing/manual-clock.js';
import { memoryStore } from '../testing/memory-store.js';
import { scriptedNode } from '../testing/scripted-node.js';
import { connect, type DeviceOptions } from './connect.js';
import { storeOutbox } from './outbox.js';

it('a process that ends while a merged update is under way leaves its reports apart: one that is refused takes no other along', async () => {
  const [store, clock, stored] = [memoryStore(), new ManualClock(), [] as unknown[]];
  const about: DeviceOptions = { url: 'mqtt://node', thing: 'lamp', clock, background: true };
  const silent = scriptedNode();
  const first = await connect({ ...about, dial: silent.dial, outbox: storeOutbox(store, 'outbox') });
  for (const patch of [{ a: 1 }, { bad: 1 }, { b: 1 }]) void first.shadow.report(patch);
  await clock.advance(10);
  const update = silent.connections[0]!.published.map(({ body }) => body.state.reported as object);
  expect(update).toEqual([{ a: 1, bad: 1, b: 1 }]);
  const left = memoryStore();
  await left.set('outbox', (await store.get('outbox'))!);
  const { dial } = scriptedNode({
    publish({ topic, body: { state, clientToken } }, node) {
      const isBad = 'bad' in (state.reported as object);
      if (!isBad) stored.push(state.reported);
      node.send(`${topic}/${isBad ? 'rejected' : 'accepted'}`, { version: 1, code: 400, clientToken });
    },
  });
  const second = await connect({ ...about, dial, outbox: storeOutbox(left, 'outbox') });
  await clock.advance(1_000);
  expect(stored).toEqual([{ a: 1 }, { b: 1 }]);
  const closed = Promise.all([first.close(), second.close()]);
  await clock.advance(20_000);
  await closed;
});
