import { startEtcd } from '../harness/etcd.js';
import { startMosquitto } from '../harness/mosquitto.js';
import { startNode, type ReadyNode } from '../harness/node-process.js';
import { cleanupAfterAll } from './steps/cleanup.js';
import { Rest } from './steps/rest.js';
import { ShadowTraffic } from './steps/shadow-traffic.js';
import { until } from '../harness/until.js';

const cleanup = cleanupAfterAll();
const LONG = process.env['UMBRA_E2E_LONG'] === '1';
const PER_SECOND = LONG ? 1_000 : 300;
const ROUND_MS = LONG ? 15_000 : 4_000;
const KILLS = LONG ? 6 : 1;
/** For what has piled up; the machine may be busy with other things. */
const WAIT_MS = 120_000;
const TAKEOVER_SECONDS = 3;
/** Lease, its sweep in etcd, one look of the survivor, the connection; and room for a busy machine. */
const TAKEOVER_BOUND_MS = TAKEOVER_SECONDS * 1000 + 20_000;

/** The node that consumed last; both ever did after some kills. */
const isConsuming = async ({ httpUrl }: ReadyNode): Promise<boolean> => {
  const ready = (await (await fetch(`${httpUrl}/health/ready`)).json()) as { parts: { broker: { reason: string } } };
  return ready.parts.broker.reason.startsWith('consumes 1 ');
};

it(
  `kill -9 of the consuming node at ${PER_SECOND} updates/s: every update is accepted and stored, every delta is told`,
  async () => {
    const [etcd, broker] = await Promise.all([startEtcd(), startMosquitto()]);
    cleanup(() => etcd.stop());
    cleanup(() => broker.stop());
    const env = {
      UMBRA_ETCD_ENDPOINTS: etcd.endpoint,
      UMBRA_BROKER_URL: broker.url,
      UMBRA_BROKER_TAKEOVER_SECONDS: String(TAKEOVER_SECONDS),
    };
    const start = async (until: 'ready' | 'listening'): Promise<ReadyNode> => {
      const node = await startNode({ env, until });
      cleanup(() => node.stop());
      return node;
    };
    const nodes = await Promise.all([start('ready'), start('ready')]);
    const traffic = await ShadowTraffic.start(broker.url, 'crash');
    cleanup(() => traffic.close());

    const gaps: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      const flowing = traffic.run(PER_SECOND, ROUND_MS + TAKEOVER_SECONDS * 1000);
      const before = traffic.accepted;
      await until('the load flows', () => traffic.accepted >= before + PER_SECOND);
      const victim = await until(
        'one node consumes',
        async () => {
          for (const [index, node] of nodes.entries()) if (await isConsuming(node)) return { index, node };
          return null;
        },
        WAIT_MS,
      );
      traffic.resetGap();
      await victim.node.kill9();
      // Not `ready`: it begins while the survivor works off what has piled up.
      const [replacement] = await Promise.all([start('listening'), flowing]);
      nodes[victim.index] = replacement;
      await until('everything accepted', () => traffic.unanswered.length === 0, WAIT_MS).catch(async () => {
        throw new Error(await traffic.explainUnanswered(new Rest(replacement.httpUrl)));
      });
      gaps.push(Math.round(traffic.longestGap));
    }
    // What comes twice comes late: the last deltas may follow the accepted of a repeated update.
    await until(
      'the last delta',
      async () => (await traffic.missing(new Rest(nodes[0].httpUrl))).length === 0,
      WAIT_MS,
    ).catch(() => undefined);
    process.stdout.write(
      `${JSON.stringify({ sent: traffic.sent, accepted: traffic.accepted, repeated: traffic.repeated, gaps })}\n`,
    );
    expect(await traffic.missing(new Rest(nodes[0].httpUrl))).toEqual([]);
    expect(traffic.rejected).toEqual([]);
    expect(Math.max(...gaps)).toBeLessThan(TAKEOVER_BOUND_MS);
  },
  LONG ? 900_000 : 300_000,
);
