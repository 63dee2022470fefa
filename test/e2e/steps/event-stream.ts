import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** One event of a `text/event-stream`. */
export interface StreamEvent {
  readonly event: string;
  readonly id: string | null;
  readonly data: string;
}

/** Cuts a stream into events; an event without its closing empty line never counts. */
export class EventStreamParser {
  #rest = '';

  push(text: string): StreamEvent[] {
    const blocks = (this.#rest + text).split('\n\n');
    this.#rest = blocks.pop() ?? '';
    return blocks.flatMap((block) => parseBlock(block) ?? []);
  }
}

function parseBlock(block: string): StreamEvent | null {
  const lines = block.split('\n').filter((line) => !line.startsWith(':'));
  const field = (name: string): string[] =>
    lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).replace(/^ /, ''));
  const data = field('data');
  if (data.length === 0) return null;
  return { event: field('event')[0] ?? 'message', id: field('id')[0] ?? null, data: data.join('\n') };
}

/** `curl -N` on a watch path, killed and started again as the test likes; it keeps the events of all its lives. */
export class CurlReader {
  readonly events: StreamEvent[] = [];
  #child: ChildProcess | null = null;
  #lastId: string | null = null;
  /** Times that it was started with a Last-Event-ID. */
  resumes = 0;

  /** Resolves with the status line of the answer. */
  async start(url: string): Promise<string> {
    const resume = this.#lastId === null ? [] : ['-H', `Last-Event-ID: ${this.#lastId}`];
    if (this.#lastId !== null) this.resumes++;
    const child = spawn('curl', ['-sS', '-i', '-N', ...resume, url], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    const killAtExit = (): void => void child.kill('SIGKILL');
    process.once('exit', killAtExit);
    child.once('exit', () => process.removeListener('exit', killAtExit));
    const parser = new EventStreamParser();
    return new Promise((resolve, reject) => {
      let head: string | null = '';
      child.once('close', () => reject(new Error(`curl ended: ${head}`)));
      child.stdout.setEncoding('utf8');
      child.stdout.on('data', (chunk: string) => {
        if (head === null) return this.#note(parser.push(chunk));
        head += chunk;
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        resolve(head.slice(0, head.indexOf('\r\n')));
        const body = head.slice(end + 4);
        head = null;
        this.#note(parser.push(body));
      });
    });
  }

  /** SIGKILL in the middle of whatever it reads; what it has read by then counts. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
  }

  #note(events: StreamEvent[]): void {
    for (const event of events) {
      this.events.push(event);
      if (event.id !== null) this.#lastId = event.id;
    }
  }
}
