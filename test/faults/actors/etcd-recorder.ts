import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import type { Commit } from '../model/commit.js';
import type { Section, Told } from '../model/history.js';
import { shadowId } from '../model/history.js';

const PREFIX = '/umbra/v1/shadows/';
/** Milliseconds before it is started again. */
const AGAIN_MS = 200;

interface WatchLine {
  readonly Events: readonly { readonly type?: number; readonly kv: WatchedKey }[] | null;
  readonly CompactRevision: number;
}

interface WatchedKey {
  readonly key: string;
  readonly value?: string;
  readonly mod_revision: number;
}

/** docs/etcd.md has the meaning of each name. */
interface StoredRecord {
  readonly v: number;
  readonly x?: number;
  readonly d?: Section;
  readonly r?: Section;
  readonly p?: Commit['patch'];
  readonly ct?: string;
}

/**
 * What etcd itself says was committed, by `etcdctl watch`: no line of it comes from the code that is judged.
 */
export class EtcdRecorder {
  #child: ChildProcess | null = null;
  #isStopped = false;
  #done: Promise<void> = Promise.resolve();
  readonly #last = new Map<string, Told | null>();
  /** The revision of the last commit that was heard: no compaction may go beyond it. */
  position = 0;
  /** Set when etcd had already removed what was to be recorded: then there is no truth. */
  fault: string | null = null;

  /** @param record is called for each commit, in order */
  constructor(
    private readonly endpoints: readonly string[],
    private readonly record: (commit: Commit) => void,
  ) {}

  /** From the first revision on. */
  start(): void {
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#child?.kill('SIGKILL');
    await this.#done;
  }

  /** Until everything up to a revision was heard. @throws Error when it was not within `limitMs` */
  async reaches(revision: number, limitMs: number): Promise<void> {
    const until = performance.now() + limitMs;
    while (this.position < revision) {
      if (performance.now() > until) throw new Error(`etcdctl has told up to ${this.position}, not ${revision}`);
      await pause(20);
    }
  }

  async #run(): Promise<void> {
    for (let turn = 0; !this.#isStopped && this.fault === null; turn++) {
      const endpoints = this.endpoints.map((_, i) => this.endpoints[(i + turn) % this.endpoints.length]).join(',');
      const flags = [`--endpoints=${endpoints}`, '-w', 'json', 'watch', '--prefix', PREFIX];
      const child = spawn('etcdctl', [...flags, `--rev=${this.position + 1}`], {
        stdio: ['ignore', 'pipe', 'ignore'],
        env: { ...process.env, ETCDCTL_API: '3' },
      });
      this.#child = child;
      const ended = once(child, 'exit').catch((error: Error) => (this.fault = error.message));
      createInterface({ input: child.stdout }).on('line', (line) => this.#line(line));
      await ended;
      await pause(AGAIN_MS);
    }
  }

  #line(line: string): void {
    const { Events, CompactRevision } = JSON.parse(line) as WatchLine;
    if (CompactRevision > 0) {
      this.fault = `etcd has compacted ${CompactRevision}, and the lab has heard up to ${this.position}`;
      this.#child?.kill('SIGKILL');
      return;
    }
    for (const { type, kv } of Events ?? []) {
      // A later start may repeat what came already.
      if (type === 1 || kv.mod_revision <= this.position) continue;
      this.#commit(kv);
    }
    this.position = Math.max(this.position, Events?.at(-1)?.kv.mod_revision ?? 0);
  }

  #commit({ key, value = '', mod_revision: revision }: WatchedKey): void {
    const place = Buffer.from(key, 'base64').toString().slice(PREFIX.length).split('/');
    const [, , thing = '', kind] = place;
    // Nodes put markers beside the shadows.
    if (kind === undefined) return;
    const name = kind === 'c' ? null : kind.slice(2);
    const shadow = shadowId(thing, name);
    const stored = JSON.parse(Buffer.from(value, 'base64').toString()) as StoredRecord;
    const deleted = stored.x !== undefined;
    const told: Told = { version: stored.v, desired: stored.d ?? {}, reported: stored.r ?? {} };
    const previous = this.#last.get(shadow) ?? null;
    this.#last.set(shadow, deleted ? null : told);
    const about = { thing, name, shadow, deleted, revision, previous, at: performance.now() };
    this.record({ ...told, ...about, token: stored.ct ?? null, patch: stored.p ?? null });
  }
}
