import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEtcd, type EtcdOptions, type EtcdServer } from '../harness/etcd.js';
import { startMosquitto, type MosquittoBroker } from '../harness/mosquitto.js';
import { logLines, startNode, type ReadyNode } from '../harness/node-process.js';
import { startRedis, type RedisServer } from '../harness/redis.js';
import type { Sample } from './load/sample.js';
import { ETCD_FLAGS, startBenchMembers } from './members.js';
import { cpuSeconds } from './load/process-usage.js';

export type Peer = 'umbra' | 'naive' | 'echo' | 'redis';

/** How long and how large. */
export interface Scale {
  /** `table` is as large as `full`, with shorter and fewer windows; `smoke` only proves that each program runs. */
  readonly kind: 'full' | 'table' | 'quick' | 'smoke';
  readonly pairs: number;
  readonly seconds: number;
  /** Of the round that does not count. */
  readonly warmSeconds: number;
  /** Before each window. */
  readonly leadSeconds: number;
}

export const SCALES: Record<Scale['kind'], Scale> = {
  full: { kind: 'full', pairs: 5, seconds: 2, warmSeconds: 6, leadSeconds: 2 },
  table: { kind: 'table', pairs: 3, seconds: 1.2, warmSeconds: 4, leadSeconds: 1.2 },
  quick: { kind: 'quick', pairs: 3, seconds: 1, warmSeconds: 2, leadSeconds: 0.5 },
  smoke: { kind: 'smoke', pairs: 1, seconds: 0.2, warmSeconds: 0.2, leadSeconds: 0.1 },
};

/** Milliseconds for ending one part. */
const END_MS = 20_000;

/** Level of a warning in the log. */
const WARN = 40;
/** Lines of the log of one node that a failure shows, and characters of each. */
const SHOWN = 3;
const MAX_LINE = 300;

export interface RunningNode {
  readonly process: ReadyNode;
  readonly mqttPort: number;
  readonly mqttsPort: number | null;
  readonly httpPort: number;
  readonly httpsPort: number | null;
  /** Seconds from the start of the process until it said that it is ready. */
  readonly readySeconds: number;
}

/** One window of one side, with what it cost: microseconds of processor per operation of the processes named. */
export interface Measured extends Sample {
  readonly cost: Readonly<Record<string, number>>;
}

export interface Side {
  readonly run: () => Promise<Sample>;
  /** What it does in the round that does not count; `run` unless told. */
  readonly warm?: () => Promise<unknown>;
  /** What it does just before each window. */
  readonly lead?: () => Promise<unknown>;
  readonly pids?: Readonly<Record<string, number>>;
}

/** Starts what a bench needs, ends it, and measures sides in turn. */
export class Lab {
  readonly #ends: (() => Promise<unknown> | void)[] = [];
  readonly #nodes = new Map<string, ReadyNode>();
  #prefixes = 0;

  constructor(readonly scale: Scale) {}

  /** A size of the full run, or a smaller one that still goes the same ways. */
  size(full: number, quick: number, smoke: number): number {
    return { full, table: full, quick, smoke }[this.scale.kind];
  }

  async etcd(options: Pick<EtcdOptions, 'args' | 'dataDir'> = {}): Promise<EtcdServer> {
    return this.#owned(await startEtcd({ args: ETCD_FLAGS, ...options }));
  }

  /** @param between milliseconds from one member to another */
  async members(count: number, between = 0): Promise<EtcdServer[]> {
    const members = await startBenchMembers(count, between);
    for (const member of members) this.#owned(member);
    return members;
  }

  async redis(): Promise<RedisServer> {
    return this.#owned(await startRedis());
  }

  /** A mosquitto with the settings that docs/external-broker.md asks for. */
  async mosquitto(settings: Readonly<Record<string, string>> = {}): Promise<MosquittoBroker> {
    return this.#owned(await startMosquitto({ settings }));
  }

  /** The program of the frozen peers; null in a clone that does not have their revision. */
  get frozen(): string | null {
    return process.env['BENCH_FROZEN'] || null;
  }

  /** A node of its own prefix, so that peers on one etcd do not hear each other; or of the prefix given. */
  async node(peer: Peer, at: NodePlace = {}): Promise<RunningNode> {
    const endpoints = (at.etcd ?? []).map(({ endpoint }) => endpoint).join(',');
    const start = performance.now();
    const node = await startNode({
      ...(at.main === undefined ? {} : { main: at.main }),
      env: {
        BENCH_PEER: peer,
        BENCH_REDIS_PORT: at.redis === undefined ? undefined : String(at.redis.port),
        // Peers without etcd never ask it.
        UMBRA_ETCD_ENDPOINTS: endpoints || 'http://127.0.0.1:1',
        UMBRA_ETCD_PREFIX: at.prefix ?? `/bench/${++this.#prefixes}/`,
        UMBRA_LOG_LEVEL: 'info',
        // A peer that is too slow for its clients is measured as slow, not cut off.
        UMBRA_REQUEST_TIMEOUT_MS: '30000',
        UMBRA_ETCD_CALL_TIMEOUT_MS: '10000',
        NODE_OPTIONS: '--expose-gc',
        ...at.env,
      },
    });
    const readySeconds = (performance.now() - start) / 1000;
    this.#ends.push(() => node.stop());
    this.#nodes.set(`${peer} (${node.pid})`, node);
    const port = (url: string): number => Number(new URL(url).port);
    const tlsPort = (url: string | null): number | null => (url === null ? null : port(url));
    return {
      ...{ process: node, readySeconds, mqttPort: port(node.mqttUrl), httpPort: port(node.httpUrl) },
      ...{ mqttsPort: tlsPort(node.mqttsUrl), httpsPort: tlsPort(node.httpsUrl) },
    };
  }

  /** To be ended with everything else, last first. */
  onEnd(end: () => Promise<unknown> | void): void {
    this.#ends.push(end);
  }

  /** What the nodes have logged as trouble last, for whoever asks why a bench failed. */
  troubles(): string[] {
    return [...this.#nodes].flatMap(([name, node]) => {
      const lines = logLines(node.logs()).filter(({ level }) => Number(level) >= WARN);
      const last = lines.slice(-SHOWN).map((line) => `${name}: ${JSON.stringify(line).slice(0, MAX_LINE)}`);
      return node.running ? last : [...last, `${name} has ended`];
    });
  }

  folder(): string {
    return mkdtempSync(join(tmpdir(), 'umbra-bench-'));
  }

  async end(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) {
      try {
        // What does not end must not keep the other benches from their turn.
        await Promise.race([end(), new Promise((resolve) => setTimeout(resolve, END_MS).unref())]);
      } catch (error) {
        process.stderr.write(`${String(error)}\n`);
      }
    }
  }

  /**
   * A side that is measured warm. For its first 50,000 operations the compiler of Node takes a seventh of its processor,
   * the more the larger its program is; and while the other sides have their turns, V8 gives back memory and code: after
   * 30 s of rest a window cost 1.4 to 1.7 times as much.
   */
  loaded(load: { run(seconds: number): Promise<Sample> }, pids: Readonly<Record<string, number>> = {}): Side {
    const { seconds, warmSeconds, leadSeconds } = this.scale;
    const runFor = (length: number) => () => load.run(length);
    return { run: runFor(seconds), warm: runFor(warmSeconds), lead: runFor(leadSeconds), pids };
  }

  /**
   * A, B, A, B …: every side once per round, after one round that does not count.
   * @param pairs rounds that count; more of them where a few hundredths decide
   */
  async alternate<K extends string>(sides: Record<K, Side>, pairs = this.scale.pairs): Promise<Record<K, Measured[]>> {
    const names = Object.keys(sides) as K[];
    const found = Object.fromEntries(names.map((name) => [name, [] as Measured[]])) as unknown as Record<K, Measured[]>;
    const rounds = pairs + (this.scale.kind === 'smoke' ? 0 : 1);
    for (let round = 0; round < rounds; round++) {
      for (const name of names) {
        const side = sides[name];
        if (round < rounds - pairs) await (side.warm ?? side.run)();
        else found[name].push(await this.#measure(side));
        process.stderr.write('.');
      }
    }
    return found;
  }

  async #measure({ run, lead, pids = {} }: Side): Promise<Measured> {
    await lead?.();
    const all = Object.entries({ load: process.pid, ...pids });
    const before = all.map(([, pid]) => cpuSeconds(pid));
    const start = performance.now();
    const sample = await run();
    const elapsed = (performance.now() - start) / 1000;
    // Where nobody has counted, the rate of the window stands for the warming before it too.
    const operations = sample.operations ?? sample.perSecond * elapsed;
    const cost = all.map(([name, pid], i) => [name, ((cpuSeconds(pid) - (before[i] as number)) / operations) * 1e6]);
    return { ...sample, cost: Object.fromEntries(cost) as Record<string, number> };
  }

  #owned<T extends { stop(): Promise<unknown> }>(server: T): T {
    this.#ends.push(() => server.stop());
    return server;
  }
}

export interface NodePlace {
  readonly etcd?: readonly EtcdServer[];
  readonly redis?: RedisServer;
  readonly prefix?: string;
  /** The program of another build. */
  readonly main?: string;
  readonly env?: Readonly<Record<string, string>>;
}
