import { setTimeout as pause } from 'node:timers/promises';
import { BankHistory, OPENING } from '../model/bank.js';
import type { UpdateOp } from '../model/history.js';
import type { Random } from '../plans/random.js';
import { outcomeOf, readOverHttp, type Problem, type Target } from './rest-caller.js';
import { Watcher } from './watcher.js';

const ACCOUNTS = 10;
const CLERKS = 3;
/** Milliseconds for an answer, and tries with one Idempotency-Key, each at another node. */
const ANSWER_MS = 8_000;
const TRIES = 3;
/** Moves of one clerk between two audits. */
const MOVES_PER_AUDIT = 4;

interface Result {
  readonly version: number;
  readonly state?: { readonly desired?: { readonly balance?: number } };
}

interface Answer extends Problem {
  readonly revision?: number;
  readonly results?: readonly Result[];
}

interface Move {
  readonly id: string;
  readonly operations: readonly object[];
  readonly ops: readonly UpdateOp[];
}

/**
 * Ten accounts, and clerks that move amounts between two of them while they check a third. Whatever fails, the accounts
 * together hold what they held at first, at every revision, and a move whose answer was lost is carried out once.
 */
export class Bank {
  readonly history: BankHistory;
  readonly #watcher: Watcher;
  #clerks: Promise<void>[] = [];

  constructor(
    prefix: string,
    private readonly targets: readonly Target[],
    private readonly random: Random,
  ) {
    this.history = new BankHistory(Array.from({ length: ACCOUNTS }, (_, i) => `${prefix}bank-${i}`));
    this.#watcher = new Watcher('bank', this.history, `${prefix}bank-`, targets);
  }

  async start(intervalMs: number, mayWrite: () => Promise<boolean>): Promise<void> {
    await this.#watcher.start();
    const changes = this.history.accounts.map((thing) => ({ thing, balance: OPENING, version: 0 }));
    const opening = this.#moveOf(
      'opening',
      changes,
      this.history.accounts.map((thing) => toCreate(thing)),
    );
    if (!(await this.#carryOut(opening, this.random))) throw new Error('the accounts could not be opened');
    const clerk = (_: unknown, i: number): Promise<void> =>
      this.#clerk(`clerk-${i}`, this.random.fork(`clerk ${i}`), intervalMs, mayWrite);
    this.#clerks = Array.from({ length: CLERKS }, clerk);
  }

  /** After the writing: all that was committed has to be told within `boundMs`. */
  async finish(boundMs: number): Promise<void> {
    await Promise.all(this.#clerks);
    const from = this.history.now();
    for (const account of this.history.accounts) await this.#told(account, from + boundMs);
    await this.#audit(this.random);
    await this.#watcher.stop();
  }

  async #told(account: string, until: number): Promise<void> {
    const read = await readOverHttp((this.targets[0] as Target).url, account).catch(() => null);
    const version = read?.told?.version ?? null;
    while (!this.#watcher.knows(account, version) && this.history.now() < until) await pause(50);
    if (!this.#watcher.knows(account, version))
      this.history.remarks.push({
        promise: 'a transaction is told',
        text: `version ${version} of ${account} is missing`,
      });
  }

  async #clerk(name: string, random: Random, intervalMs: number, mayWrite: () => Promise<boolean>): Promise<void> {
    for (let n = 1; await mayWrite(); n++) {
      if (n % MOVES_PER_AUDIT === 0) await this.#audit(random);
      else await this.#move(`${name}-${n}`, random);
      await pause(intervalMs * 2 * (0.5 + random.next()));
    }
  }

  async #move(id: string, random: Random): Promise<void> {
    const [from, to, third] = this.#three(random);
    const known = await Promise.all([from, to, third].map((account) => this.#read(account, random)));
    const [a, b, c] = known;
    if (!a || !b || !c) return;
    const amount = random.int(1, 20);
    const changes = [
      { ...a, balance: a.balance - amount },
      { ...b, balance: b.balance + amount },
    ];
    const check = { op: 'check', thing: c.thing, version: c.version };
    await this.#carryOut(this.#moveOf(id, changes, [...changes.map(toUpdate), check]), random);
  }

  #three(random: Random): [string, string, string] {
    const left = [...this.history.accounts];
    const take = (): string => left.splice(random.int(0, left.length - 1), 1)[0] ?? '';
    return [take(), take(), take()];
  }

  async #read(thing: string, random: Random): Promise<Account | null> {
    const read = await readOverHttp(random.pick(this.targets).url, thing).catch(() => null);
    const balance = read?.told?.desired['balance'];
    return typeof balance === 'number' ? { thing, balance, version: read?.told?.version ?? 0 } : null;
  }

  #moveOf(id: string, changes: readonly Account[], operations: readonly object[]): Move {
    const ops = changes.map(({ thing, balance }): UpdateOp => {
      const patch = { balance };
      const fate = {
        from: this.history.now(),
        to: Infinity,
        outcome: 'maybe' as const,
        step: null,
        reason: 'no answer',
      };
      return { id, kind: 'update', shadow: thing, node: 0, door: 'http', section: 'desired', patch, ...fate };
    });
    this.history.updates.push(...ops);
    return { id, operations, ops };
  }

  /** Sends it until its fate is known, with one key: it must not be carried out twice. */
  async #carryOut({ id, operations, ops }: Move, random: Random): Promise<boolean> {
    const first = random.int(0, this.targets.length - 1);
    for (let turn = 0; turn < TRIES; turn++) {
      const target = this.targets[(first + turn) % this.targets.length] as Target;
      const headers = { 'idempotency-key': `${this.history.accounts[0]}-${id}` };
      const sent = await this.#send(target, { clientToken: id, operations }, headers);
      const to = this.history.now();
      // A refusal after a try without an answer is one of this try alone: the key says what became of the first.
      const outcome = sent === null ? 'maybe' : outcomeOf(sent.status, sent.answer);
      ops.forEach((op, i) => {
        op.to = to;
        op.outcome = outcome;
        op.reason = `${sent?.status ?? 'no answer'} ${sent?.answer.type ?? ''}`;
        op.step = outcome === 'acked' ? (sent?.answer.results?.[i]?.version ?? null) : null;
      });
      if (sent?.isReplayed) this.history.replayed++;
      if (outcome === 'acked') this.history.moved++;
      if (outcome !== 'maybe') return outcome === 'acked';
    }
    return false;
  }

  /** Reads all accounts at one revision. */
  async #audit(random: Random): Promise<void> {
    const operations = this.history.accounts.map((thing) => ({ op: 'check', thing }));
    const sent = await this.#send(random.pick(this.targets), { operations }, {});
    if (sent?.status !== 200) return;
    const balances = (sent.answer.results ?? []).map(({ state }) => state?.desired?.balance ?? NaN);
    const total = balances.reduce((sum, balance) => sum + balance, 0);
    this.history.audits.push({ revision: sent.answer.revision ?? 0, total });
  }

  async #send({ url }: Target, body: object, headers: Readonly<Record<string, string>>): Promise<Sent | null> {
    try {
      const response = await fetch(`${url}/v1/transactions`, {
        method: 'POST',
        body: JSON.stringify(body),
        headers,
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      const answer = (await response.json()) as Answer;
      return { status: response.status, answer, isReplayed: response.headers.has('idempotent-replayed') };
    } catch {
      return null;
    }
  }
}

interface Sent {
  readonly status: number;
  readonly answer: Answer;
  readonly isReplayed: boolean;
}

interface Account {
  readonly thing: string;
  readonly balance: number;
  /** As it was read. */
  readonly version: number;
}

const toUpdate = ({ thing, balance, version }: Account): object => ({
  op: 'update',
  thing,
  version,
  state: { desired: { balance } },
});

const toCreate = (thing: string): object => ({
  op: 'update',
  thing,
  state: { desired: { balance: OPENING } },
  conditions: [{ path: '', exists: false }],
});
