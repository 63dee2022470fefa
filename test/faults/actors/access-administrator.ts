import { setTimeout as pause } from 'node:timers/promises';
import type { AccessHistory } from '../model/access-history.js';
import type { Random } from '../plans/random.js';
import type { LabNode } from '../topology.js';
import type { KeyDevice } from './access-actors.js';

/** Milliseconds for one answer, and after which a change that nobody takes is given up. */
const ANSWER_MS = 8_000;
const GIVE_UP_MS = 40_000;

interface Answer {
  readonly status: number;
  readonly etag: string | null;
  readonly body: { readonly id?: string; readonly key?: string };
}

const DENY = { Version: '2012-10-17', Statement: [{ Effect: 'Deny', Action: '*', Resource: '*' }] };
const NOTHING = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'iot:Connect', Resource: 'arn:aws:iot:*:*:client/nobody' }],
};

/** The ways in which a device loses all that it may. */
export const WAYS = ['key', 'disabled', 'roles', 'policy'] as const;
export type Way = (typeof WAYS)[number];

/** Makes devices, withdraws what they may, and gives it back; each change is repeated until a node says that it holds. */
export class Administrator {
  /** Nodes that it asks; each change takes any of them. */
  nodes: readonly LabNode[];
  readonly #ways = new Map<KeyDevice, Way>();
  readonly #keyIds = new Map<KeyDevice, string>();

  constructor(
    private readonly history: AccessHistory,
    nodes: readonly LabNode[],
    private readonly random: Random,
    private readonly key: string,
  ) {
    this.nodes = nodes;
  }

  /** @param way null: what it may is never withdrawn */
  async make(device: KeyDevice, way: Way | null): Promise<void> {
    const { thing } = device;
    if (way !== null) this.#ways.set(device, way);
    if (way === 'policy') await this.#done('PUT', `/v1/policies/${thing}`, NOTHING, [201]);
    await this.#done('PUT', `/v1/principals/${thing}`, this.#members(device), [201]);
    await this.#giveKey(device);
    const now = this.history.now();
    this.history.changes.set(thing, [{ who: thing, isGiven: true, begun: now, acked: now }]);
  }

  withdraw(device: KeyDevice): Promise<void> {
    return this.#change(device, false);
  }

  giveBack(device: KeyDevice): Promise<void> {
    return this.#change(device, true);
  }

  /** Whether a node serves a read, for which it needs etcd. Never rejects. */
  async canRead(node: LabNode): Promise<boolean> {
    const asked = this.#ask(node, 'GET', '/things/administrator/shadow');
    return asked.then(
      ({ status }) => status === 200 || status === 404,
      () => false,
    );
  }

  async #change(device: KeyDevice, isGiven: boolean): Promise<void> {
    const { thing } = device;
    const change = { who: thing, isGiven, begun: this.history.now(), acked: Infinity };
    this.history.changes.get(thing)?.push(change);
    switch (this.#ways.get(device)) {
      case 'key': {
        const path = `/v1/principals/${thing}/keys/${this.#keyIds.get(device)}`;
        await (isGiven ? this.#giveKey(device) : this.#done('DELETE', path, undefined, [204, 404]));
        break;
      }
      case 'policy':
        await this.#replace(`/v1/policies/${thing}`, isGiven ? NOTHING : DENY);
        break;
      case 'disabled':
        await this.#replace(`/v1/principals/${thing}`, { ...this.#members(device), disabled: !isGiven });
        break;
      default:
        await this.#replace(`/v1/principals/${thing}`, { ...this.#members(device), roles: isGiven ? ['device'] : [] });
    }
    change.acked = this.history.now();
  }

  #members(device: KeyDevice): object {
    const policies = this.#ways.get(device) === 'policy' ? [device.thing] : [];
    return { thing: device.thing, roles: ['device'], policies };
  }

  async #giveKey(device: KeyDevice): Promise<void> {
    const { id = '', key = '' } = await this.#done('POST', `/v1/principals/${device.thing}/keys`, {}, [201]);
    this.#keyIds.set(device, id);
    device.key = key;
  }

  /** Reads the record before each try: whether the one before has held is not known. */
  async #replace(path: string, record: object): Promise<void> {
    await this.#until(path, async (node) => {
      const { status, etag } = await this.#ask(node, 'GET', path);
      if (status !== 200 || etag === null) return null;
      const answer = await this.#ask(node, 'PUT', path, record, { 'if-match': etag });
      return answer.status === 200 ? answer : null;
    });
  }

  async #done(method: string, path: string, body: unknown, good: readonly number[]): Promise<Answer['body']> {
    const answer = await this.#until(path, async (node) => {
      const asked = await this.#ask(node, method, path, body);
      return good.includes(asked.status) ? asked : null;
    });
    return answer.body;
  }

  /** @throws Error when no node takes it within the time */
  async #until(what: string, step: (node: LabNode) => Promise<Answer | null>): Promise<Answer> {
    let reason: unknown = 'not taken';
    for (const from = performance.now(); performance.now() - from < GIVE_UP_MS; await pause(100)) {
      try {
        const answer = await step(this.random.pick(this.nodes));
        if (answer) return answer;
      } catch (error) {
        reason = error;
      }
    }
    throw new Error(`no node takes a change of ${what}: ${String(reason)}`);
  }

  async #ask(node: LabNode, method: string, path: string, body?: unknown, headers = {}): Promise<Answer> {
    const answer = await fetch(node.httpUrl + path, {
      method,
      headers: { authorization: `Bearer ${this.key}`, ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const text = await answer.text();
    const parsed = text === '' ? {} : (JSON.parse(text) as Answer['body']);
    return { status: answer.status, etag: answer.headers.get('etag'), body: parsed };
  }
}
