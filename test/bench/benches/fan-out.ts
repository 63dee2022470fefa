import type { Lab, Measured, Side } from '../lab.js';
import { Helper } from '../load/helper.js';
import { openFiles } from '../load/process-usage.js';
import type { Sample } from '../load/sample.js';
import { note, perSecond, ratio, row, type Result } from '../result.js';

/** Descriptors that a process needs beside the sockets of subscribers. */
const SPARE = 500;

/** One shadow, many subscribers of `accepted`: deliveries a second, and what one costs as their number grows. */
export async function fanOut(lab: Lab): Promise<Result> {
  const etcd = [await lab.etcd()];
  const most = openFiles() - SPARE;
  const wanted = lab.scale.kind === 'smoke' ? [1, 10] : [1, 100, 1000, 10_000];
  const rows = [];
  const notes: string[] = [];
  let costOfHundred: readonly Measured[] | null = null;
  for (const count of wanted.map((each) => Math.min(each, most))) {
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
  if (wanted.some((each) => each > most)) notes.push(`at most ${most} subscribers: the limit of open files`);
  return { rows, notes };
}

/** Each side in a process of its own: two with 10,000 sockets are more than many systems let one process have. */
async function side(lab: Lab, port: number, node: number, count: number): Promise<Side & { end: () => void }> {
  const helper = Helper.start('subscribers');
  const end = (): void => helper.stop();
  lab.onEnd(end);
  await helper.ask('open', { port, count });
  return { run: () => helper.ask<Sample>('run', lab.scale.seconds), pids: { node, load: helper.pid }, end };
}
