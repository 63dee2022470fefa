import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';

const run = promisify(execFile);
const TIMEOUT_MS = 60_000;

export interface MosquittoOptions {
  readonly url: string;
  readonly version: '3.1.1' | '5';
  readonly qos: 0 | 1;
}

export interface MosquittoMessage {
  readonly topic: string;
  /** The parsed payload, or undefined where it is no JSON. */
  readonly json: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- tests look at any member
}

function common({ url, version, qos }: MosquittoOptions): string[] {
  const { hostname, port } = new URL(url);
  return ['-h', hostname, '-p', port, '-V', version === '5' ? 'mqttv5' : 'mqttv311', '-q', String(qos)];
}

/** mosquitto_pub once; `file` sends the content of a file, neither sends an empty message. */
export async function mosquittoPub(
  options: MosquittoOptions,
  topic: string,
  payload: { readonly message?: string; readonly file?: string } = {},
): Promise<void> {
  const body =
    payload.message !== undefined
      ? ['-m', payload.message]
      : payload.file !== undefined
        ? ['-f', payload.file]
        : ['-n'];
  await run('mosquitto_pub', [...common(options), '-t', topic, ...body], { timeout: TIMEOUT_MS });
}

/** One running mosquitto_sub. */
export class MosquittoSub {
  readonly messages: MosquittoMessage[] = [];
  #rest = '';
  #output = '';
  #granted = 0;

  private constructor(private readonly child: ChildProcess) {
    const killAtExit = (): void => void child.kill('SIGKILL');
    process.once('exit', killAtExit);
    child.once('exit', () => process.removeListener('exit', killAtExit));
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => this.#read(chunk));
  }

  /** Resolves when the broker has granted every topic. */
  static async start(options: MosquittoOptions, ...topics: string[]): Promise<MosquittoSub> {
    const filters = topics.flatMap((topic) => ['-t', topic]);
    // -d tells of the SUBACK; the client buffers its output by line only when told to.
    const args = ['-oL', 'mosquitto_sub', ...common(options), '-d', '-F', '%t\t%p', ...filters];
    const sub = new MosquittoSub(spawn('stdbuf', args, { stdio: ['ignore', 'pipe', 'pipe'] }));
    const deadline = Date.now() + TIMEOUT_MS;
    while (sub.#granted === 0) {
      if (sub.child.exitCode !== null || Date.now() > deadline) {
        await sub.stop();
        throw new Error(`mosquitto_sub did not subscribe: ${sub.#output}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return sub;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }

  #read(chunk: Buffer): void {
    this.#output = (this.#output + chunk.toString()).slice(-4000);
    const lines = (this.#rest + chunk.toString()).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.startsWith('Subscribed')) this.#granted++;
      const tab = line.indexOf('\t');
      if (tab > 0 && line.startsWith('$aws/')) this.#push(line.slice(0, tab), line.slice(tab + 1));
    }
  }

  #push(topic: string, payload: string): void {
    try {
      this.messages.push({ topic, json: JSON.parse(payload) });
    } catch {
      this.messages.push({ topic, json: undefined });
    }
  }
}
