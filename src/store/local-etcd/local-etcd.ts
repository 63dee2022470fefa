import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { BackOff } from '../../resilience/back-off.js';
import type { Logger } from '../../telemetry/logger.js';
import { INSTALL_ADVICE, LocalEtcdError } from './local-etcd-error.js';
import { DataFolder } from './data-folder.js';
import { groupEnds, killGroup, NOT_FOUND, spawnGuard, TERM_SECONDS, type Guard } from './guard.js';
import { LocalEtcdLog } from './log.js';
import { LocalEtcdOwner } from './owner.js';
import { freeLoopbackPort } from './loopback-port.js';

/** Milliseconds until the first answer: etcd first reads its database from the disk, up to its quota of 8 GiB. */
const START_MS = 60_000;
const PROBE_MS = 1_000;
const PROBE_PAUSE_MS = 25;
/** Another process can take a port between our check and etcd's. */
const MAX_PORT_TRIES = 3;
/** Milliseconds between the end of etcd and its next start. */
const BACK_OFF = { first: 100, longest: 5_000 };
/** An etcd that ran this long starts the next back-off from its beginning. */
const STEADY_MS = 60_000;
const KILL_WAIT_MS = 2_000;
/** ETCD 7: the servers' default of 2 GiB is too small, and the history of updates must be compacted within minutes. */
const QUOTA_BYTES = 8 * 1024 ** 3;

export interface LocalEtcdOptions {
  /** Folder of the node; etcd's own is its subfolder `etcd`. */
  readonly dataDir: string;
  readonly logger: Logger;
  /** Environment of the child instead of the node's own; for tests. */
  readonly env?: NodeJS.ProcessEnv;
  readonly startTimeoutMs?: number;
}

interface Running {
  readonly guard: Guard;
  readonly since: number;
  /** Exit code of etcd, or null when a signal ended it. Never rejects. */
  readonly exited: Promise<number | null>;
  /** The guard has ended, and all its output and etcd's is read. Never rejects. */
  readonly closed: Promise<void>;
  hasExited: boolean;
}

/**
 * Runs one etcd on loopback, for a node without UMBRA_ETCD_ENDPOINTS. It is restarted when it ends, and ends with the
 * node, even when the node is killed.
 */
export class LocalEtcd {
  readonly #etcdDir: string;
  readonly #owner: LocalEtcdOwner;
  readonly #folder: DataFolder;
  readonly #log: LocalEtcdLog;
  readonly #stopping = new AbortController();
  #ports = { client: 0, peer: 0 };
  #running: Running | null = null;
  #supervision: Promise<void> | null = null;

  constructor(private readonly options: LocalEtcdOptions) {
    const dataDir = resolve(options.dataDir);
    this.#etcdDir = join(dataDir, 'etcd');
    this.#owner = new LocalEtcdOwner(dataDir, this.#etcdDir);
    this.#folder = new DataFolder(this.#etcdDir, options.logger);
    this.#log = new LocalEtcdLog(options.logger);
  }

  /**
   * Resolves with the client URL once etcd answers a linearizable read.
   * @throws LocalEtcdError that says what to do; then nothing is left running
   */
  async start(): Promise<string> {
    await this.#owner.claim();
    try {
      this.#folder.prepare();
      return await this.#startAt();
    } catch (error) {
      this.#owner.release();
      throw error;
    }
  }

  /** Starts etcd on free ports, and again on others when another process takes them meanwhile. */
  async #startAt(): Promise<string> {
    for (let tries = 1; ; tries++) {
      this.#ports = { client: await freeLoopbackPort(), peer: await freeLoopbackPort() };
      const running = this.#spawn();
      const outcome = await this.#awaitAnswer(running);
      if (outcome === 'answers') {
        this.#folder.keep();
        this.options.logger.info({ endpoint: this.#endpoint, folder: this.#etcdDir }, 'local etcd answers');
        this.#supervision = this.#supervise(running);
        return this.#endpoint;
      }
      await this.#end(running);
      if (this.#stopping.signal.aborted) throw new LocalEtcdError('etcd was stopped while it started.', 'Start again.');
      const error = await this.#startError(outcome, running);
      if (tries < MAX_PORT_TRIES && error.lastLines.some((line) => /address already in use/.test(line))) continue;
      throw error;
    }
  }

  /** SIGTERM, after 5 s SIGKILL. Resolves when etcd is gone. Call it when nothing needs etcd. No errors. */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    this.#log.expectEnd();
    if (this.#running) await this.#end(this.#running);
    await this.#supervision;
    this.#owner.release();
  }

  get #endpoint(): string {
    return `http://127.0.0.1:${this.#ports.client}`;
  }

  #spawn(): Running {
    const guard = spawnGuard(this.#flags(), this.options.env);
    const exited = new Promise<number | null>((done) => {
      guard.once('exit', (code) => done(code));
      guard.once('error', () => done(NOT_FOUND));
    });
    const closed = new Promise<void>((done) => {
      guard.once('close', () => done());
      guard.once('error', () => done());
    });
    const running: Running = { guard, since: performance.now(), exited, closed, hasExited: false };
    void exited.then(() => (running.hasExited = true));
    this.#log.follow(guard.stdout, guard.stderr);
    this.#running = running;
    this.#owner.write(guard.pid ?? 0);
    return running;
  }

  #flags(): string[] {
    const client = this.#endpoint;
    const peer = `http://127.0.0.1:${this.#ports.peer}`;
    return [
      ...['--name', 'umbra', '--data-dir', this.#etcdDir],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `umbra=${peer}`],
      ...['--quota-backend-bytes', String(QUOTA_BYTES)],
      ...['--auto-compaction-mode', 'periodic', '--auto-compaction-retention', '10m'],
      // A single member waits one election timeout at each start, and cannot lose an election.
      ...['--heartbeat-interval', '20', '--election-timeout', '200'],
      ...['--pre-vote', '--logger', 'zap', '--log-outputs', 'stderr'],
    ];
  }

  async #awaitAnswer(running: Running): Promise<'answers' | 'exited' | 'silent'> {
    const until = performance.now() + (this.options.startTimeoutMs ?? START_MS);
    while (performance.now() < until && !this.#stopping.signal.aborted) {
      const answered = await answersRead(this.#endpoint);
      // An answer of another process on our port does not count: our etcd could not listen there, and has ended.
      if (running.hasExited) return 'exited';
      if (answered) return 'answers';
      await pause(PROBE_PAUSE_MS);
    }
    return running.hasExited ? 'exited' : 'silent';
  }

  async #startError(outcome: 'exited' | 'silent', running: Running): Promise<LocalEtcdError> {
    const code = await running.exited;
    if (code === NOT_FOUND) {
      this.#folder.discard();
      return new LocalEtcdError('There is no program `etcd` on the PATH.', INSTALL_ADVICE);
    }
    const problem =
      outcome === 'exited'
        ? `etcd ended while it started (${code === null ? 'by a signal' : `exit code ${code}`}).`
        : `etcd did not answer within ${(this.options.startTimeoutMs ?? START_MS) / 1000} s.`;
    const advice =
      `Its data is in ${this.#etcdDir}. If that belongs to another version of etcd or is damaged, move the folder ` +
      'away (the shadows in it are then gone for this node) or restore a backup; or use an etcd that runs elsewhere: UMBRA_ETCD_ENDPOINTS.';
    return new LocalEtcdError(problem, advice, this.#log.take());
  }

  /** Starts etcd again, on the same ports, whenever it ends before stop(). */
  async #supervise(first: Running): Promise<void> {
    const { logger } = this.options;
    let running = first;
    const backOff = new BackOff(BACK_OFF);
    for (;;) {
      const code = await running.exited;
      if (this.#stopping.signal.aborted) return;
      // A killed guard leaves its etcd running.
      if (running.guard.pid) killGroup(running.guard.pid);
      if (performance.now() - running.since > STEADY_MS) backOff.reset();
      const pauseMs = Math.round(backOff.next());
      logger.error({ code, again: `${pauseMs} ms`, etcd: this.#log.take() }, 'local etcd ended; it is started again');
      await pause(pauseMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      if (this.#stopping.signal.aborted) return;
      running = this.#spawn();
      const outcome = await this.#awaitAnswer(running);
      if (outcome === 'answers') logger.info({ endpoint: this.#endpoint }, 'local etcd answers again');
      // An etcd that hangs at its start is treated like one that has ended.
      else if (outcome === 'silent') await this.#end(running);
    }
  }

  /**
   * Closes the guard's pipe, which stops etcd; kills both if that does not end them. Resolves when no process of the
   * group is left and their output is read.
   */
  async #end({ guard, exited, closed }: Running): Promise<void> {
    guard.stdin.end();
    await within((TERM_SECONDS + 1) * 1000, exited);
    if (!guard.pid) return;
    // The guard's helper, and a `sleep` of it, may outlive the guard by a moment.
    if (!(await groupEnds(guard.pid, KILL_WAIT_MS))) {
      this.options.logger.error({ group: guard.pid }, 'a process of the local etcd does not end (a stuck disk?)');
    }
    await within(KILL_WAIT_MS, Promise.all([exited, closed]));
  }
}

/** Resolves with `done`, or after `ms`. */
async function within(ms: number, done: Promise<unknown>): Promise<void> {
  const abort = new AbortController();
  await Promise.race([done, pause(ms, undefined, { signal: abort.signal }).catch(() => undefined)]);
  abort.abort();
}

/** Whether etcd answers a read that needs a majority: through its JSON gateway, so that no client is needed here. */
async function answersRead(endpoint: string): Promise<boolean> {
  try {
    const response = await fetch(`${endpoint}/v3/kv/range`, {
      method: 'POST',
      // A key of one zero byte in base64.
      body: '{"key":"AA=="}',
      signal: AbortSignal.timeout(PROBE_MS),
    });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}
