/**
 * A process of its own: a device that behaves, beside those that do not. It updates its shadow, one update after the
 * other, and measures how long each takes until `accepted`. Its parent asks for what it measured. Argument: MQTT URL.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { connectAsync } from 'mqtt';

/** Milliseconds between an answer and the next update. */
const PAUSE_MS = 5;
/** Milliseconds after which an update has failed. */
const ANSWER_MS = 20_000;
const SHADOW = '$aws/things/bystander/shadow/update';

export interface Measured {
  /** Milliseconds of each update since the last question. */
  readonly latencies: readonly number[];
  /** Why it cannot go on; null while all is well. */
  readonly failure: string | null;
}

let latencies: number[] = [];
let failure: string | null = null;

async function main(url: string): Promise<void> {
  const client = await connectAsync(url, { protocolVersion: 4, clientId: 'bystander', reconnectPeriod: 0 });
  client.on('close', () => (failure ??= 'its connection was closed'));
  client.on('error', (error) => (failure ??= error.message));
  await client.subscribeAsync(`${SHADOW}/accepted`);
  let accepted: () => void = () => {};
  client.on('message', () => accepted());
  process.send?.('ready');
  for (let n = 0; failure === null; n++) {
    const start = performance.now();
    const answer = new Promise<void>((resolve) => (accepted = resolve));
    const late = pause(ANSWER_MS, 'late', { ref: false });
    await client.publishAsync(SHADOW, JSON.stringify({ state: { reported: { n } } }), { qos: 1 });
    if ((await Promise.race([answer, late])) === 'late') failure ??= `no answer within ${ANSWER_MS} ms`;
    latencies.push(performance.now() - start);
    await pause(PAUSE_MS);
  }
}

process.on('message', () => {
  process.send?.({ latencies, failure } satisfies Measured);
  latencies = [];
});
process.on('disconnect', () => process.exit(0));
main(process.argv[2] ?? '').catch((error: unknown) => (failure ??= String(error)));
