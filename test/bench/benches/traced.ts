import { createServer } from 'node:http';
import { freePort } from '../../harness/ports.js';
import { until } from '../../harness/until.js';
import type { Lab, Measured, RunningNode, Side } from '../lab.js';
import { openUpdateLoad } from '../load/update-load.js';
import { atMost, note, perSecond, ratio, type Result } from '../result.js';

/** What 1 % of traces cost a node, its exporter included: nodes of one build on one etcd, in turn. */
export async function traced(lab: Lab): Promise<Result> {
  const etcd = [await lab.etcd()];
  const receiver = await silentReceiver(lab);
  const traces = (rules: string): Record<string, string> => ({
    UMBRA_TRACE_ENDPOINT: `http://127.0.0.1:${receiver.port}/v1/traces`,
    UMBRA_TRACE_RULES: rules,
    // As many as 1 % is: the bound per second is for failures.
    UMBRA_TRACE_MAX_PER_SECOND: '1000',
  });
  const off = await lab.node('umbra', { etcd });
  const none = await lab.node('umbra', { etcd, env: traces('0') });
  const on = await lab.node('umbra', { etcd, env: traces('100') });
  const side = async (name: string, node: RunningNode): Promise<Side> => {
    const load = await openUpdateLoad({ ports: [node.mqttPort], devices: lab.size(400, 400, 20), prefix: name });
    lab.onEnd(() => load.end());
    return lab.loaded(load, { node: node.process.pid, etcd: etcd[0]?.pid ?? -1 });
  };
  const found = await lab.alternate({
    'traced at 1 %': await side('on', on),
    'traced at 0 %': await side('none', none),
    'not traced': await side('off', off),
  });
  const [with1, with0, without] = [found['traced at 1 %'], found['traced at 0 %'], found['not traced']];
  await until('a trace at the receiver', () => receiver.bytes() > 0, 10_000);
  const cost = (each: Measured): number => each.cost['node'] ?? Number.NaN;
  return {
    rows: [
      ratio('processor of the node per update, traced at 1 % over not traced', with1, without, cost, atMost(1.01)),
      ratio('the same, traced at 0 %: with a receiver and nothing for it', with0, without, cost, atMost(1.01)),
      ratio('updates per second, traced at 1 % over not traced', with1, without, perSecond),
    ],
    notes: [
      ...Object.entries(found).map(([name, samples]) => note(name, samples)),
      `${(receiver.bytes() / 1e6).toFixed(1)} MB of traces arrived`,
    ],
  };
}

/** Takes what comes and throws it away. */
async function silentReceiver(lab: Lab): Promise<{ readonly port: number; bytes(): number }> {
  let bytes = 0;
  const server = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => (bytes += chunk.length));
    request.on('end', () => response.end());
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  lab.onEnd(() => void server.close());
  return { port, bytes: () => bytes };
}
