import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { EventReader } from '../../harness/event-reader.js';
import type { LabNode } from '../topology.js';
import { PROMISES } from '../validate/promises.js';
import type { FaultContext, Heal } from './faults.js';

/** What all of them together could make a node keep is many times what it may have. */
const SHADOWS = 1_200;
const PADDING = 6_000;
const READERS = 120;
const WRITERS = 40;
/** Milliseconds for a change to come to a reader that reads. */
const BYSTANDER_MS = 10_000;

/** Many readers ask for everything there is, and take nothing of it. Readers that read must not notice. */
export async function silentReaders({ topology, history, prefix }: FaultContext): Promise<Heal> {
  const node = topology.node(0);
  await fill(node, `${prefix}big`);
  const bystander = await EventReader.open(`${node.httpUrl}/v1/things/${prefix}bystander/watch`);
  await bystander.nextOf('bookmark');
  const sockets = await Promise.all(Array.from({ length: READERS }, () => silentReader(node)));
  // From here on nobody of them takes anything; the node reads for them what it will.
  await pause(2_000);
  const event = bystander.nextOf('change').catch(String);
  const answer = await patch(node, `${prefix}bystander`, 'x').catch(String);
  const told = await Promise.race([event, pause(BYSTANDER_MS, null)]);
  if (answer !== 200 || told === null || typeof told === 'string') {
    const text = `beside ${READERS} silent readers an update was answered ${answer}, and a reader was told ${JSON.stringify(told)}`;
    history.remarks.push({ promise: PROMISES.bounded, text });
  }
  return async () => {
    bystander.close();
    for (const socket of sockets) socket.destroy();
  };
}

async function fill(node: LabNode, prefix: string): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: WRITERS }, async () => {
      while (next < SHADOWS) await patch(node, `${prefix}${next++}`, 'x'.repeat(PADDING));
    }),
  );
}

async function patch({ httpUrl }: LabNode, thing: string, text: string): Promise<number> {
  const body = JSON.stringify({ state: { desired: { text } } });
  const signal = AbortSignal.timeout(8_000);
  const response = await fetch(`${httpUrl}/v1/things/${thing}/shadow`, { method: 'PATCH', body, signal });
  await response.arrayBuffer();
  return response.status;
}

/** A socket with a request, and nobody who reads the answer. */
async function silentReader({ httpUrl }: LabNode): Promise<Socket> {
  const socket = connect(Number(new URL(httpUrl).port), '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect').catch(() => undefined);
  socket.pause();
  socket.write('GET /v1/watch?initial=true HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  return socket;
}
