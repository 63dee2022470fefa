import { connect } from 'node:net';
import type { Find, FuzzOptions, FuzzResult } from './fuzz.js';
import { HttpAnswers } from './http-answers.js';
import { httpScript, type HttpScript } from './http-script.js';

/** Connections at once; most of their time they wait for the node. */
const AT_ONCE = 24;
/** Milliseconds that a connection stays silent before it is given up: its last request may be cut off. */
const IDLE_MS = 80;
/** Finds that are kept; each after them is the same again. */
const MAX_FINDS = 20;

/**
 * Sends whole and broken requests over raw sockets, beside a client that checks each of its answers. Whether the process
 * lives and gives back what it took is for the caller to judge.
 */
export async function fuzzHttp({ httpUrl, seed, count, deadline, isOver }: FuzzOptions): Promise<FuzzResult> {
  const finds: Find[] = [];
  let [sent, broken, next] = [0, 0, 0];
  const goesOn = (): boolean => performance.now() < deadline && !isOver() && finds.length < MAX_FINDS;
  const work = async (): Promise<void> => {
    while (sent < count && goesOn()) {
      const script = httpScript(seed, next++);
      sent += script.requests;
      broken += script.broken;
      const why = await playHttp(script, httpUrl);
      if (why !== null) finds.push(findOf(script, why));
    }
  };
  let done = false;
  const beside = bystander(httpUrl, () => done || isOver());
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  done = true;
  const failure = await beside;
  if (failure !== null && !isOver()) finds.push({ transport: 'http', chunks: [], why: failure });
  return { sent, broken, connections: next, finds };
}

export function findOf({ chunks }: HttpScript, why: string): Find {
  return { transport: 'http', chunks: chunks.map((chunk) => chunk.toString('hex')), why };
}

/** Plays one connection to its end. Returns what the node must not have said, or null. Never rejects. */
export function playHttp({ chunks, leaves }: HttpScript, httpUrl: string): Promise<string | null> {
  // Damage may double a request; and bytes that are none get an answer too, which is the last.
  const lines =
    Buffer.concat(chunks)
      .toString('latin1')
      .match(/HTTP\/\d/g)?.length ?? 0;
  const answers = new HttpAnswers(lines + 1);
  return new Promise((resolve) => {
    let why: string | null = null;
    const socket = connect({ port: Number(new URL(httpUrl).port), host: '127.0.0.1', noDelay: true }, () => {
      for (const chunk of chunks) socket.write(chunk);
    });
    socket.on('data', (bytes: Buffer) => (why ??= answers.push(bytes)));
    socket.setTimeout(IDLE_MS, () => {
      if (leaves === 'reset') socket.resetAndDestroy();
      else socket.end(() => socket.destroy());
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(why));
  });
}

/** A client that writes and reads its own shadow. Returns its first wrong answer, or null. */
async function bystander(httpUrl: string, isOver: () => boolean): Promise<string | null> {
  // A thing of its own in every run, since a node may be fuzzed twice.
  const url = `${httpUrl}/v1/things/beside-${process.pid}-${Math.round(performance.now())}/shadow`;
  for (let version = 1; !isOver(); version++) {
    const body = JSON.stringify({ state: { reported: { version } } });
    try {
      const written = await fetch(url, { method: 'PATCH', body });
      if (written.status !== 200) return `the client beside it got ${written.status} for an update`;
      await written.arrayBuffer();
      const read = (await (await fetch(url)).json()) as { version?: number; state?: { reported?: object } };
      if (read.version !== version || JSON.stringify(read.state?.reported) !== `{"version":${version}}`) {
        return `the client beside it read ${JSON.stringify(read).slice(0, 300)} instead of version ${version}`;
      }
    } catch (error) {
      return `the client beside it was cut off: ${String(error)}`;
    }
  }
  return null;
}
