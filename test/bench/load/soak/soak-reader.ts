import WebSocket from 'ws';
import { EventReader } from '../../../harness/event-reader.js';
import { dueAtOf } from './token.js';

/** What a reader of a stream tells. */
export interface ReaderHearer {
  told(dueAt: number): void;
  ended(reason: string): void;
}

interface Change {
  readonly kind?: string;
  readonly clientToken?: string;
}

/** One reader of the changes of a thing, or of all things; it counts those that have a token of this load. */
export class SoakReader {
  #told = 0;
  #close: () => void = () => undefined;

  private constructor(
    /** Null: all things. */
    readonly thing: string | null,
    private readonly hearer: ReaderHearer,
  ) {}

  get told(): number {
    return this.#told;
  }

  static async overEvents(port: number, thing: string | null, hearer: ReaderHearer): Promise<SoakReader> {
    const reader = new SoakReader(thing, hearer);
    const events = await EventReader.open(`http://127.0.0.1:${port}${pathOf(thing)}`);
    await events.nextOf('bookmark');
    let isClosed = false;
    reader.#close = () => {
      isClosed = true;
      events.close();
    };
    const follow = async (): Promise<void> => {
      for (let event = await events.next(); event !== null; event = await events.next())
        if (event.event === 'change') reader.#take(event.data);
      throw new Error('the stream ended');
    };
    follow().catch((error: unknown) => {
      if (!isClosed) hearer.ended(String(error));
    });
    return reader;
  }

  static async overWebSocket(port: number, thing: string | null, hearer: ReaderHearer): Promise<SoakReader> {
    const reader = new SoakReader(thing, hearer);
    const socket = new WebSocket(`ws://127.0.0.1:${port}${pathOf(thing)}`, ['umbra.v1']);
    let begin: () => void = () => undefined;
    const begun = new Promise<void>((resolve, reject) => {
      begin = resolve;
      socket.once('error', reject);
    });
    socket.on('message', (message: Buffer) => {
      const { type, data } = JSON.parse(message.toString()) as { type: string; data: Change };
      if (type === 'bookmark') begin();
      if (type === 'change') reader.#take(data);
    });
    const ended = (code: number): void => hearer.ended(`the stream ended: ${code}`);
    socket.on('close', ended);
    reader.#close = () => {
      socket.off('close', ended);
      socket.terminate();
    };
    await begun;
    return reader;
  }

  end(): void {
    this.#close();
  }

  #take({ kind, clientToken }: Change): void {
    const dueAt = kind === 'updated' ? dueAtOf(clientToken) : null;
    if (dueAt === null) return;
    this.#told++;
    this.hearer.told(dueAt);
  }
}

function pathOf(thing: string | null): string {
  return thing === null ? '/v1/watch' : `/v1/things/${thing}/watch`;
}
