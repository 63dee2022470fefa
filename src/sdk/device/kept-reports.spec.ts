import { ManualClock } from '../testing/manual-clock.js';
import { scriptedNode } from '../testing/scripted-node.js';
import { connect } from './connect.js';

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
