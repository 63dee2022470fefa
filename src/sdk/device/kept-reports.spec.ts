import { ManualClock } from '../testing/manual-clock.js';
import { memoryStore } from '../testing/memory-store.js';
import { scriptedNode } from '../testing/scripted-node.js';
import { connect } from './connect.js';
import { storeOutbox } from './outbox.js';

it('reports that come faster than an outbox saves are sent all the same, and saved before', async () => {
  const clock = new ManualClock();
  const [sent, unsaved]: [number[], number[]] = [[], []];
  let saved = '';
  const outbox = {
    load: async () => null,
    save: (_: string | null, text: string) =>
      new Promise<void>((resolve) => clock.after(20, () => resolve(void (saved = text)))),
  };
  const { dial } = scriptedNode({
    publish({ topic, body: { state, clientToken } }, node) {
      const { step } = state.reported as { step: number };
      sent.push(step);
      if (!saved.includes(`"step":${step}}`)) unsaved.push(step);
      node.send(`${topic}/accepted`, { version: sent.length, clientToken });
    },
  });
  const connecting = connect({ url: 'mqtt://node', thing: 'lamp', clock, dial, outbox });
  await clock.advance(0);
  const device = await connecting;
  for (let step = 1; step <= 50; step++) {
    void device.shadow.report({ step });
    await clock.advance(8);
  }
  expect(sent.length).toBeGreaterThanOrEqual(5);
  expect(unsaved).toEqual([]);
  const closed = device.close();
  await clock.advance(6_000);
  await closed;
  expect(sent.at(-1)).toBe(50);
});

it('a device that is closed while its outbox is being written leaves all that waits there', async () => {
  const [clock, store] = [new ManualClock(), memoryStore()];
  const slow = { ...store, set: (key: string, text: string) => wait().then(() => store.set(key, text)) };
  const wait = (): Promise<void> => new Promise((resolve) => void clock.after(20, resolve));
  const device = await connect({
    ...{ url: 'mqtt://node', thing: 'lamp', clock, background: true, outbox: storeOutbox(slow, 'outbox') },
    dial: () => new Promise(() => undefined),
  });
  await clock.advance(100);
  for (let step = 1; step <= 3; step++) {
    void device.shadow.report({ [`m${step}`]: step });
    await clock.advance(1);
  }
  const closed = device.close();
  await clock.advance(1_000);
  await closed;
  expect(store.texts.get('outbox')!.match(/"m\d"/g)).toEqual(['"m1"', '"m2"', '"m3"']);
});
