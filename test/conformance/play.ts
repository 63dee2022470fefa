import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Conversation, Expected, Step } from './conversation.js';
import { Decoder, type Event } from './decode.js';
import { FORGED } from './generate.js';
import { acknowledge, encode, PINGREQ, publish, type Version } from './wire.js';

/** Milliseconds that an answer may take. A server that is busy with other conversations takes a while. */
const ANSWER_MS = 5_000;
/** Milliseconds for a keep-alive of one second to run out: 1.5 s, and what a server rounds up. */
const KEEP_ALIVE_MS = 8_000;
/** Identifiers of the requests behind a publish, which conversations do not use. */
const FIRST_BARRIER_ID = 60_000;
/** A request whose PUBACK says that the requests before it are through; nobody subscribes to it. */
const BARRIER_TOPIC = '$aws/things/barrier/shadow/get';

/** What one connection saw: its answers by step, and the messages of its whole life. */
export class Seen {
  readonly answers = new Map<number, Event[]>();
  readonly messages: Event[] = [];
  closed = false;
}

/** The step that is being played: what arrives meanwhile belongs to it, on whatever connection. */
interface Turn {
  step: number;
}

/** One connection of a conversation to one server. */
class Player {
  readonly seen = new Seen();
  #barrier = FIRST_BARRIER_ID;
  #pings = 0;
  #wake: () => void = () => {};
  readonly #acknowledged = new Set<string>();

  private constructor(
    private readonly socket: Socket,
    private readonly version: Version,
    private readonly acknowledges: boolean,
    private readonly thing: string,
    private readonly turn: Turn,
  ) {
    const decoder = new Decoder(version, (event) => this.#take(event));
    socket.on('data', (chunk: Buffer) => decoder.push(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.seen.closed = true;
      this.#note({ kind: 'closed' });
    });
  }

  static async open(port: number, step: Step & { do: 'open' }, thing: string, turn: Turn): Promise<Player> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new Player(socket, step.version, step.acknowledges, thing, turn);
  }

  /** @returns whether the CONNECT was accepted */
  async connect(bytes: Buffer): Promise<boolean> {
    this.socket.write(bytes);
    const answers = (): Event[] => this.seen.answers.get(this.turn.step) ?? [];
    if (!(await this.#until(() => answers().length > 0, ANSWER_MS))) this.#note({ kind: 'silent' });
    const isAccepted = answers().some((one) => one.kind === 'connack' && one.code === 0);
    // A refusal ends the connection.
    if (!isAccepted) await this.#until(() => this.seen.closed, ANSWER_MS);
    return isAccepted;
  }

  /** Sends, and waits until the server has worked it off: until it answers what was sent behind it. */
  async send(bytes: Buffer, expected: readonly Expected[], isPublish: boolean): Promise<void> {
    if (this.seen.closed) return;
    const pings = this.#pings;
    const wanted = expected.map(({ kind, id }) => `${kind} ${id}`);
    const behind = [encode(PINGREQ)];
    if (isPublish) {
      const id = ++this.#barrier;
      wanted.push(`puback ${id}`);
      behind.unshift(encode(publish({ version: this.version, topic: BARRIER_TOPIC, payload: '', qos: 1, id })));
    }
    this.socket.write(Buffer.concat([bytes, ...behind]));
    const isDone = (): boolean => this.#pings > pings && wanted.every((one) => this.#acknowledged.has(one));
    const answered = await this.#until(() => this.seen.closed || isDone(), ANSWER_MS);
    if (!answered) this.#note({ kind: 'silent' });
    else if (!this.seen.closed) this.#takeBackPing();
  }

  async staySilent(): Promise<void> {
    await this.#until(() => this.seen.closed, KEEP_ALIVE_MS);
  }

  async leave(how: 'fin' | 'reset'): Promise<void> {
    if (how === 'reset') this.socket.resetAndDestroy();
    else this.socket.end();
    await this.#until(() => this.seen.closed, ANSWER_MS);
  }

  async gone(): Promise<void> {
    await this.#until(() => this.seen.closed, ANSWER_MS);
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** The answer to the PINGREQ of the player itself is no part of the conversation. */
  #takeBackPing(): void {
    const answers = this.seen.answers.get(this.turn.step) ?? [];
    const at = answers.findLastIndex(({ kind }) => kind === 'pingresp');
    if (at >= 0) answers.splice(at, 1);
  }

  #take(event: Event): void {
    if (event.kind === 'publish') {
      if (event.qos === 1 && this.acknowledges) this.socket.write(encode(acknowledge(4, event.id)));
      if (this.#belongs(event.topic, event.payload)) this.seen.messages.push(event);
      return this.#wake();
    }
    if (event.kind === 'pingresp') this.#pings++;
    if ('id' in event) {
      this.#acknowledged.add(`${event.kind} ${event.id}`);
      if (event.id >= FIRST_BARRIER_ID) return this.#wake();
    }
    this.#note(event);
  }

  /** Messages of other conversations reach wildcards; those that the service itself sends have no counterpart. */
  #belongs(topic: string, payload: string): boolean {
    if (!topic.split('/').includes(this.thing)) return false;
    return /\/(accepted|rejected|delta|documents)$/.test(topic) ? payload === FORGED : true;
  }

  #note(event: Event): void {
    const answers = this.seen.answers.get(this.turn.step) ?? [];
    answers.push(event);
    this.seen.answers.set(this.turn.step, answers);
    this.#wake();
  }

  #until(condition: () => boolean, ms: number): Promise<boolean> {
    if (condition()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => finish(false), ms);
      const finish = (reached: boolean): void => {
        clearTimeout(timer);
        this.#wake = () => {};
        resolve(reached);
      };
      this.#wake = () => {
        if (condition()) finish(true);
      };
    });
  }
}

/** A conversation that was played to one server; its connections are open until `end`. */
export class Play {
  readonly #players = new Map<number, Player>();
  readonly #turn: Turn = { step: 0 };

  constructor(
    private readonly conversation: Conversation,
    private readonly port: number,
  ) {}

  async run(): Promise<void> {
    const { steps } = this.conversation;
    for (const [at, step] of steps.entries()) {
      this.#turn.step = at;
      if (step.do === 'open') await this.#open(step);
      else await this.#step(step);
    }
    this.#turn.step = steps.length;
    // A request on every connection fetches what was on its way.
    for (const player of this.#players.values()) await player.send(Buffer.alloc(0), [], true);
  }

  seen(): ReadonlyMap<number, Seen> {
    return new Map([...this.#players].map(([on, player]) => [on, player.seen]));
  }

  end(): void {
    for (const player of this.#players.values()) player.destroy();
  }

  async #open(step: Step & { do: 'open' }): Promise<void> {
    const player = await Player.open(this.port, step, this.conversation.thing, this.#turn);
    this.#players.set(step.on, player);
    if (!(await player.connect(step.bytes))) return;
    for (const on of step.ends) await this.#players.get(on)?.gone();
  }

  async #step(step: Exclude<Step, { do: 'open' }>): Promise<void> {
    const player = this.#players.get(step.on);
    if (!player) return;
    if (step.do === 'send') {
      await player.send(step.bytes, step.expected, step.label.startsWith('publish'));
      // mosquitto answers even the PINGREQ behind a DISCONNECT before it closes.
      if (step.label.startsWith('disconnect') && step.about.broken === null) await player.gone();
    } else if (step.do === 'stay silent') await player.staySilent();
    else await player.leave(step.do);
  }
}

/** Milliseconds for messages that are still under way, such as wills, to arrive at both servers. */
const SETTLE_MS = 2_000;

/** Waits until `equal` says so, at most two seconds. */
export async function settle(equal: () => boolean): Promise<void> {
  const deadline = performance.now() + SETTLE_MS;
  while (!equal() && performance.now() < deadline) await pause(20);
}
