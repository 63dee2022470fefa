import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { SecretKeys } from '../../../src/auth/tokens/secret-key.js';
import type { AccessHistory, Verdict } from '../model/access-history.js';
import type { Random } from '../plans/random.js';
import type { LabNode } from '../topology.js';
import { ReasonedConnection } from './reasoned-connection.js';

/** Milliseconds between two attempts of one kind. */
const INTERVAL_MS = 120;
/** Milliseconds for an answer: beyond what a node itself waits (UMBRA_REQUEST_TIMEOUT_MS). */
const ANSWER_MS = 8_000;
/** Milliseconds for a PUBACK, which does not come while there is no storage. */
const PUBACK_MS = 2_000;
/** MQTT 5: not authorized, bad user name or password, connection rate exceeded. */
const REFUSALS = new Set([0x86, 0x87, 0x9f]);
const REFUSED_STATUS = new Set([401, 403, 429]);

/** An answer behind the gate counts as allowed, 503 of a lost storage too. */
async function ask(url: string, key: string | null, method = 'GET', body?: object): Promise<Verdict> {
  try {
    const answer = await fetch(url, {
      method,
      headers: key === null ? {} : { authorization: `Bearer ${key}` },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    void answer.body?.cancel().catch(() => undefined);
    return REFUSED_STATUS.has(answer.status) ? 'refused' : 'allowed';
  } catch {
    return 'none';
  }
}

function verdictOf(reason: number | null): Verdict {
  if (reason === null) return 'none';
  if (reason < 0x80) return 'allowed';
  return REFUSALS.has(reason) ? 'refused' : 'none';
}

const updateOf = (thing: string): string => `$aws/things/${thing}/shadow/update`;
const pathOf = (thing: string): string => `/things/${thing}/shadow`;

/** Tries the same again and again, and writes down what became of it. */
abstract class Actor {
  #running: Promise<unknown> = Promise.resolve();
  protected isStopped = false;

  constructor(
    protected readonly history: AccessHistory,
    protected readonly nodes: readonly LabNode[],
  ) {}

  start(): void {
    this.#running = Promise.all(this.nodes.flatMap((node) => this.loops(node)));
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.#running;
  }

  protected abstract loops(node: LabNode): Promise<void>[];

  protected note(who: string, node: LabNode, how: string, from: number, verdict: Verdict): void {
    this.history.attempts.push({ who, node: node.index, how, from, to: this.history.now(), verdict });
  }

  protected async every(step: () => Promise<void>): Promise<void> {
    while (!this.isStopped) {
      await step();
      await pause(INTERVAL_MS);
    }
  }
}

interface Held {
  readonly connection: ReasonedConnection;
  seenAt: number;
}

/**
 * A device with a key. At every node it publishes on one connection, holds another one on which it sends nothing, and reads
 * over HTTP.
 */
export class KeyDevice extends Actor {
  /** Its key now; an administrator may take it away, and give it another one. */
  key = '';
  readonly #held = new Map<string, Held>();

  constructor(
    history: AccessHistory,
    nodes: readonly LabNode[],
    readonly thing: string,
  ) {
    super(history, nodes);
  }

  override async stop(): Promise<void> {
    await super.stop();
    for (const { connection } of this.#held.values()) connection.close();
  }

  protected loops(node: LabNode): Promise<void>[] {
    const hold = async (): Promise<void> => void (await this.#connection(node, 'quiet connection'));
    return [this.every(() => this.#read(node)), this.every(() => this.#publish(node)), this.every(hold)];
  }

  async #read(node: LabNode): Promise<void> {
    const from = this.history.now();
    this.note(this.thing, node, 'read', from, await ask(node.httpUrl + pathOf(this.thing), this.key));
  }

  async #publish(node: LabNode): Promise<void> {
    const connection = await this.#connection(node, 'busy connection');
    if (!connection) return;
    const from = this.history.now();
    const body = JSON.stringify({ state: { reported: { at: Math.round(from) } } });
    const reason = await connection.publish(updateOf(this.thing), body, PUBACK_MS);
    this.note(this.thing, node, 'publish', from, verdictOf(reason));
  }

  /** The one that is open, or a new one if it may. */
  async #connection(node: LabNode, how: 'busy connection' | 'quiet connection'): Promise<ReasonedConnection | null> {
    const clientId = `${this.thing}:${node.index}${how}`.replaceAll(' ', '-');
    const held = this.#held.get(clientId);
    const from = this.history.now();
    if (held?.connection.isOpen) {
      this.note(this.thing, node, how, from, 'allowed');
      held.seenAt = from;
      return held.connection;
    }
    if (held) {
      this.#held.delete(clientId);
      const isRefused = verdictOf(held.connection.disconnect) === 'refused';
      // A node ends the connection of an update of which it does not know what became of it.
      const lost = how === 'busy connection' ? 'none' : 'lost';
      this.note(this.thing, node, how, held.seenAt, isRefused ? 'refused' : lost);
    }
    const connection = await ReasonedConnection.open({ port: node.mqttPort, clientId, password: this.key });
    this.note(this.thing, node, 'connect', from, verdictOf(connection.connack));
    if (connection.connack !== 0) return null;
    this.#held.set(clientId, { connection, seenAt: this.history.now() });
    return connection;
  }
}

/** Tries what it may not, with keys that never were, with one that was withdrawn, and with the key of a device. */
export class Intruder extends Actor {
  readonly #madeUp = new SecretKeys(randomBytes(32)).make().text;

  /** @param insider a device that may use its own shadow, and of which the intruder has the key */
  constructor(
    history: AccessHistory,
    nodes: readonly LabNode[],
    private readonly insider: KeyDevice,
    private readonly withdrawnKey: string,
    private readonly random: Random,
  ) {
    super(history, nodes);
    for (const who of ['a stranger', 'a made-up key', 'a withdrawn key', 'an insider']) history.intruders.add(who);
  }

  protected loops(node: LabNode): Promise<void>[] {
    return [this.every(() => this.#request(node)), this.every(() => this.#connect(node)), this.#publishing(node)];
  }

  async #request(node: LabNode): Promise<void> {
    const own = pathOf(this.insider.thing);
    const other = pathOf('door');
    const { key } = this.insider;
    const [who, path, shown, method, body] = this.random.pick([
      ['a stranger', own, null],
      ['a stranger', '/v1/watch', null],
      ['a made-up key', own, this.#madeUp],
      ['a made-up key', own, this.#madeUp, 'POST', { state: { desired: { open: true } } }],
      ['a withdrawn key', own, this.withdrawnKey],
      ['an insider', other, key],
      ['an insider', other, key, 'POST', { state: { desired: { open: true } } }],
      ['an insider', '/v1/watch', key],
      ['an insider', `/v1/principals/${this.insider.thing}`, key, 'PUT', { roles: ['admin'] }],
    ] as readonly (readonly [string, string, string | null, string?, object?])[]);
    const from = this.history.now();
    this.note(who, node, `${method ?? 'GET'} ${path}`, from, await ask(node.httpUrl + path, shown, method, body));
  }

  async #connect(node: LabNode): Promise<void> {
    const [who, clientId, password] = this.random.pick([
      ['a stranger', this.insider.thing, null],
      ['a made-up key', this.insider.thing, this.#madeUp],
      ['a withdrawn key', this.insider.thing, this.withdrawnKey],
      ['an insider', 'door', this.insider.key],
    ] as const);
    const from = this.history.now();
    const connection = await ReasonedConnection.open({ port: node.mqttPort, clientId, password });
    this.note(who, node, 'connect', from, verdictOf(connection.connack));
    connection.close();
  }

  /** A connection that it may have, on which it publishes and subscribes what it may not. */
  async #publishing(node: LabNode): Promise<void> {
    let connection: ReasonedConnection | null = null;
    await this.every(async () => {
      const clientId = `${this.insider.thing}:intruder`;
      const options = { port: node.mqttPort, clientId, password: this.insider.key };
      connection = connection?.isOpen ? connection : await ReasonedConnection.open(options);
      if (!connection.isOpen) return;
      const from = this.history.now();
      const published = await connection.publish(updateOf('door'), '{"state":{"desired":{"open":true}}}', PUBACK_MS);
      this.note('an insider', node, 'publish to another', from, verdictOf(published));
      const subscribed = await connection.subscribe(updateOf('door'), PUBACK_MS);
      this.note('an insider', node, 'subscribe to another', from, verdictOf(subscribed));
    });
    (connection as ReasonedConnection | null)?.close();
  }
}
