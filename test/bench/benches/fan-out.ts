import type { Lab, Measured, Side } from '../lab.js';
import { connectMany, topicBytes, type Device } from '../load/mqtt-device.js';
import type { Sample } from '../load/sample.js';
import { WindowClock } from '../load/window.js';
import { note, perSecond, ratio, row, type Result } from '../result.js';

const THING = 'hub';
const UPDATE = `$aws/things/${THING}/shadow/update`;

/** One shadow, many subscribers of `accepted`: deliveries a second, and what one costs as their number grows. */
export async function fanOut(lab: Lab): Promise<Result> {
  const etcd = [await lab.etcd()];
  const counts = lab.scale.kind === 'smoke' ? [1, 10] : [1, 100, 1000, 10_000];
  const rows = [];
  const notes: string[] = [];
  let costOfHundred: readonly Measured[] | null = null;
  for (const count of counts) {
    const umbra = await lab.node('umbra', { etcd });
    const echo = await lab.node('echo');
    const sides = {
      umbra: await side(lab, umbra.mqttPort, umbra.process.pid, count),
      echo: await side(lab, echo.mqttPort, echo.process.pid, count),
    };
    const found = await lab.alternate(sides);
    rows.push(ratio(`${count} subscribers, deliveries over an echo`, found.umbra, found.echo, perSecond));
    if (count === 100) costOfHundred = found.umbra;
    else if (costOfHundred) {
      const under = costOfHundred;
      const cost = (each: Measured | undefined): number => each?.cost['node'] ?? Number.NaN;
      const growth = found.umbra.map((each, i) => cost(each) / cost(under[i]));
      rows.push(row(`${count} subscribers, processor per delivery over that of 100`, growth));
    }
    notes.push(note(`${count} subscribers`, found.umbra), note(`${count} subscribers, echo`, found.echo));
    for (const { end } of Object.values(sides)) end();
    await umbra.process.stop();
    await echo.process.stop();
  }
  return { rows, notes };
}

/** The next update is sent when every subscriber has the last one: nothing piles up. */
async function side(lab: Lab, port: number, pid: number, count: number): Promise<Side & { end: () => void }> {
  const [publisher, ...subscribers] = (await connectMany([port], count + 1, 'fan')) as [Device, ...Device[]];
  const clock = new WindowClock();
  const topic = topicBytes(UPDATE);
  let got = 0;
  let sent = 0;
  let sentAt = 0;
  let running = false;
  const publish = (): void => {
    got = 0;
    sentAt = performance.now();
    publisher.publish(topic, (++sent % 65_535) + 1, `{"state":{"reported":{"n":${sent},"door":"closed"}}}`);
  };
  for (const subscriber of subscribers) {
    subscriber.onMessage = () => {
      clock.done(sentAt);
      if (++got === count && running) publish();
    };
  }
  for (let i = 0; i < count; i += 200)
    await Promise.all(subscribers.slice(i, i + 200).map((subscriber) => subscriber.subscribe(`${UPDATE}/accepted`)));
  const end = (): void => [publisher, ...subscribers].forEach((device) => device.end());
  lab.onEnd(end);
  const run = async (): Promise<Sample> => {
    running = true;
    publish();
    const sample = await clock.measure(lab.scale.seconds);
    running = false;
    const deadline = Date.now() + 10_000;
    while (got < count) {
      if (Date.now() > deadline) throw new Error(`${count - got} of ${count} deliveries are missing`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return sample;
  };
  return { run, pids: { node: pid }, end };
}
