import { setTimeout as pause } from 'node:timers/promises';
import { DeviceConnection } from './device.js';
import {
  shadowId,
  stepOf,
  type History,
  type Json,
  type Message,
  type Section,
  type Told,
  type UpdateOp,
} from '../model/history.js';
import { toldOf } from './rest-caller.js';
import type { Door } from '../topology.js';

/** Milliseconds without a PUBACK after which a device gives its connection up. */
const PUBACK_MS = 8_000;
/** Milliseconds between attempts to connect. */
const RECONNECT_MS = 150;

/** Milliseconds for `accepted` behind an external broker, where a node may have to take over first. */
const ACCEPTED_MS = 12_000;

export interface DeviceOptions {
  /** Milliseconds between two updates. */
  readonly intervalMs: number;
  /** StoreReaderLimit between two deletions, and the turn of the first; null: it deletes nothing. */
  readonly deletions: { readonly every: number; readonly first: number } | null;
  /** PUBACK comes from an external broker: only `accepted` acknowledges. */
  readonly external: boolean;
}

type Body = Record<string, Json> & {
  clientToken?: string;
  version: number;
  state: Parameters<typeof toldOf>[0]['state'];
};

export function topicOf(shadow: string, tail: string): string {
  const [thing = '', name] = shadow.split('/');
  return `$aws/things/${thing}/shadow${name === undefined ? '' : `/name/${name}`}/${tail}`;
}

/** `…/update/delta` and so on, taken apart. */
function parse(topic: string): { shadow: string; tail: string } | null {
  const [, thing, name, tail] = /^\$aws\/things\/([^/]+)\/shadow(?:\/name\/([^/]+))?\/(.+)$/.exec(topic) ?? [];
  return thing === undefined || tail === undefined ? null : { shadow: shadowId(thing, name ?? null), tail };
}

const KINDS: Readonly<Record<string, Message['kind']>> = {
  'update/delta': 'delta',
  'update/documents': 'documents',
  'update/accepted': 'accepted',
  'delete/accepted': 'deleted',
};

/** A connection that comes back by itself, each time to the next door. */
class Reconnecting {
  connection: DeviceConnection | null = null;
  /** Counts connections, to keep them apart in the history. */
  count = 0;
  node = 0;
  /** A subscription with a wildcard in place of the thing brings none. */
  protected readonly hasCurrentDelta: boolean = false;
  #stopped = false;
  #done: Promise<void> | null = null;

  constructor(
    protected readonly name: string,
    protected readonly history: History,
    private readonly doors: readonly Door[],
    private readonly filters: readonly string[],
    private readonly qos: 0 | 1,
  ) {}

  async start(): Promise<void> {
    await new Promise<void>((resolve) => (this.#done = this.#run(resolve)));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.connection?.close();
    await this.#done;
  }

  protected get stopped(): boolean {
    return this.#stopped;
  }

  protected message(_topic: string, _payload: Buffer): void {}
  /** Its connection has ended, whoever has ended it. */
  protected ended(): void {}
  protected async subscribed(): Promise<void> {}

  async #run(ready: () => void): Promise<void> {
    while (!this.#stopped) {
      const { port, node } = this.doors[this.count % this.doors.length] as Door;
      this.count++;
      try {
        await new Promise<void>((resolve, reject) => {
          const onMessage = (topic: string, payload: Buffer): void => this.message(topic, payload);
          const clientId = `${this.name}-${this.count}`;
          DeviceConnection.open({ clientId, port, onMessage, onClose: () => (this.ended(), resolve()) })
            .then(async (connection) => {
              this.node = node;
              this.connection = connection;
              if (this.#stopped) return connection.close();
              if (!(await within(connection.subscribe(this.filters, this.qos), PUBACK_MS))) return connection.close();
              await this.subscribed();
              ready();
            })
            .catch(reject);
        });
      } catch {
        // Nobody there: the next door.
      }
      if (!this.#stopped) await pause(RECONNECT_MS);
    }
    ready();
  }

  protected record(tail: string, shadow: string, body: Body): void {
    const kind = KINDS[tail];
    if (kind === undefined) return;
    const current = body['current'] as { version: number } | undefined;
    const version = kind === 'documents' ? (current?.version ?? -1) : body.version;
    const { history, node, hasCurrentDelta } = this;
    const connection = `${this.name}-${this.count}`;
    history.messages.push({ connection, hasCurrentDelta, node, kind, shadow, version, body, at: history.now() });
  }
}

/** Listens to everything of all things with a prefix, on one node. */
export class Observer extends Reconnecting {
  constructor(
    name: string,
    history: History,
    door: Door,
    private readonly prefix: string,
  ) {
    const tails = Object.keys(KINDS);
    const filters = tails.flatMap((tail) => [topicOf('+', tail), topicOf('+/+', tail)]);
    super(name, history, [door], filters, 1);
  }

  protected override message(topic: string, payload: Buffer): void {
    const at = parse(topic);
    if (!at?.shadow.startsWith(this.prefix)) return;
    this.record(at.tail, at.shadow, JSON.parse(payload.toString()) as Body);
  }
}

/** One device: reports what it measures, and does what desired.target says, as the AWS guide tells devices to. */
export class Device extends Reconnecting {
  protected override readonly hasCurrentDelta = true;
  readonly #ops = new Map<string, UpdateOp>();
  readonly #gets = new Map<string, number>();
  /** Who waits for `accepted` or `rejected`. */
  readonly #answers = new Map<string, (accepted: boolean) => void>();
  #sequence = 0;
  #target: Json | undefined;
  #targetVersion = 0;
  #reported: Json | undefined;
  #writing = true;
  #resting = false;
  #loop: Promise<void> | null = null;

  constructor(
    name: string,
    history: History,
    doors: readonly Door[],
    private readonly shadow: string,
    private readonly options: DeviceOptions,
  ) {
    const tails = [...Object.keys(KINDS), 'update/rejected', 'delete/rejected', 'get/accepted', 'get/rejected'];
    super(
      name,
      history,
      doors,
      tails.map((tail) => topicOf(shadow, tail)),
      options.external ? 1 : 0,
    );
  }

  override async start(): Promise<void> {
    await super.start();
    this.#loop = this.#work();
  }

  /** Measures no more; goes on doing what is desired. */
  quiet(): void {
    this.#writing = false;
  }

  /** Measures again. */
  busy(): void {
    this.#writing = true;
  }

  /** Writes nothing at all from here on; ends when its last update has. */
  async rest(): Promise<void> {
    this.#resting = true;
    await this.#loop;
  }

  override async stop(): Promise<void> {
    await super.stop();
    await this.rest();
  }

  protected override async subscribed(): Promise<void> {
    this.#get();
  }

  protected override message(topic: string, payload: Buffer): void {
    const tail = parse(topic)?.tail;
    const body = JSON.parse(payload.toString()) as Body;
    const op = this.#ops.get(body.clientToken ?? '');
    if ((tail === 'update/accepted' || tail === 'delete/accepted') && op) this.#accepted(op, body);
    if ((tail === 'update/rejected' || tail === 'delete/rejected') && op) this.#rejected(op, String(body['code']));
    if (tail === 'update/delta') this.#wants((body.state as Section)['target'], body.version);
    this.record(tail ?? '', this.shadow, body);
    if (tail === 'get/accepted') this.#got(body);
    if (tail === 'get/rejected' && body['code'] === 404) this.#read(body, null);
  }

  #accepted(op: UpdateOp, body: Body): void {
    // Carried out twice, it is told twice.
    op.step ??= stepOf({ version: body.version, deleted: op.kind === 'delete' });
    if (!this.options.external || op.outcome === 'acked') return;
    op.to = this.history.now();
    op.outcome = 'acked';
    op.reason = 'accepted';
    this.#answers.get(op.id)?.(true);
  }

  #rejected(op: UpdateOp, code: string): void {
    if (this.options.external && op.outcome === 'acked') return;
    // Behind an external broker a deletion that was carried out before is not found the second time.
    if (!this.options.external || op.kind !== 'delete' || code !== '404') op.outcome = 'rejected';
    op.reason = code;
    this.#answers.get(op.id)?.(false);
  }

  #got(body: Body): void {
    const told = toldOf(body);
    this.#wants(told.desired['target'], told.version);
    this.#read(body, told);
  }

  #read(body: Body, told: Told | null): void {
    const from = this.#gets.get(body.clientToken ?? '');
    if (from === undefined) return;
    const { shadow, node } = this;
    this.history.reads.push({ shadow, node, door: 'mqtt', from, to: this.history.now(), told });
  }

  /** An answer to `get` may be older than a delta that came before it. */
  #wants(target: Json | undefined, version: number): void {
    if (target === undefined || version < this.#targetVersion) return;
    this.#target = target;
    this.#targetVersion = version;
  }

  #get(): void {
    const clientToken = `${this.name}-g${++this.#sequence}`;
    this.#gets.set(clientToken, this.history.now());
    void this.connection?.publish(topicOf(this.shadow, 'get'), JSON.stringify({ clientToken }));
  }

  async #work(): Promise<void> {
    const { intervalMs, deletions, external } = this.options;
    for (let turn = 0; !this.stopped && !this.#resting; turn++) {
      const target = this.#target;
      const behind = target !== undefined && target !== this.#reported;
      if (this.connection?.open && (behind || this.#writing)) {
        if (turn % 10 === 9) this.#get();
        if (this.#writing && turn % (deletions?.every ?? Infinity) === deletions?.first) await this.#delete();
        const done = await this.#update(behind ? { target } : {});
        if (done && behind) this.#reported = target;
      } else if (external && this.connection?.open && turn % 10 === 9) {
        // The first one may be lost with the broker.
        this.#get();
      }
      await pause(intervalMs);
    }
  }

  #update(patch: Section): Promise<boolean> {
    const id = `${this.name}-${++this.#sequence}`;
    const full = { ...patch, d: id };
    return this.#send('update', id, full, { state: { reported: full }, clientToken: id });
  }

  #delete(): Promise<boolean> {
    const id = `${this.name}-${++this.#sequence}`;
    return this.#send('delete', id, {}, { clientToken: id });
  }

  /** Whether it was acknowledged and not rejected. */
  async #send(kind: UpdateOp['kind'], id: string, patch: Section, body: object): Promise<boolean> {
    const { connection, shadow, node } = this;
    const op: UpdateOp = {
      ...{ id, kind, shadow, node, door: 'mqtt', section: 'reported', patch, from: this.history.now() },
      ...{ to: Infinity, outcome: 'maybe', step: null, reason: 'no PUBACK' },
    };
    this.#ops.set(id, op);
    this.history.updates.push(op);
    if (this.options.external) return this.#awaitAccepted(op, JSON.stringify(body));
    const puback = connection?.publish(topicOf(shadow, kind), JSON.stringify(body)) ?? Promise.resolve(false);
    const acked = await within(puback, PUBACK_MS);
    if (!acked) connection?.close();
    if (!acked || op.outcome === 'rejected') return false;
    op.to = this.history.now();
    op.outcome = 'acked';
    op.reason = 'PUBACK';
    return true;
  }

  async #awaitAccepted(op: UpdateOp, body: string): Promise<boolean> {
    op.reason = 'no accepted';
    const answer = new Promise<boolean>((resolve) => this.#answers.set(op.id, resolve));
    const lost = this.connection?.publish(topicOf(op.shadow, op.kind), body) ?? Promise.resolve(false);
    const accepted = await within(Promise.race([answer, lost.then((sent) => (sent ? answer : false))]), ACCEPTED_MS);
    this.#answers.delete(op.id);
    return accepted;
  }
}

export async function within(answer: Promise<boolean>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(resolve, ms, false)));
  const result = await Promise.race([answer, late]);
  clearTimeout(timer);
  return result;
}
