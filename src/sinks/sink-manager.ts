import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Instances } from '../cluster/instances.js';
import { CONFIG, type Config } from '../config/config.js';
import type { AccessEntry } from '../directory/access-records.js';
import { Administration } from '../directory/administration.js';
import type { SinkRecord } from '../directory/records/sink-record.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { SHADOW_FEED, type ShadowFeed } from '../store/shadow-feed.js';
import type { Health } from '../telemetry/health.js';
import { LOGGER, type Logger } from '../telemetry/logger.js';
import { METRICS, Metrics } from '../telemetry/metrics.js';
import { reasonOf } from '../telemetry/reason.js';
import { RunningSink, saidOf } from './running-sink.js';
import { forgetSink, ownKeys } from './sink-keys.js';
import { SINK_MEANS, type SinkMeans } from './sink-means.js';
import { SinkReports, type SinkReport } from './sink-reports.js';

/** Milliseconds between two reports of this node. */
const REPORT_MS = 1_000;

type Entry = AccessEntry<SinkRecord>;

/**
 * The sinks of all tenants on this node, opened and closed as their records come, change and go. Each is divided into
 * shards, and each shard has one owner among the nodes that live. The node has one lease for all of them.
 */
@Injectable()
export class SinkManager implements OnApplicationBootstrap {
  @Inject(METRICS) readonly metrics: Metrics = new Metrics();
  readonly #running = new Map<string, RunningSink>();
  /** The last record of each place that was open here: what it names goes when the sink does. */
  readonly #known = new Map<string, Entry>();
  /** Why a sink is not open on this node. */
  readonly #faults = new Map<string, string>();
  /** One change of a sink waits for the other. */
  readonly #turns = new Map<string, Promise<void>>();
  readonly #instances: Instances;
  readonly #reports: SinkReports;
  #timer: NodeJS.Timeout | undefined;
  #reporting = false;
  #leave: () => void = () => undefined;
  #stopped = false;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(SHADOW_FEED) private readonly feed: ShadowFeed,
    private readonly administration: Administration,
    @Inject(SINK_MEANS) private readonly means: SinkMeans,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    const { keys } = means;
    this.#instances = new Instances(keys, {
      nodeId: config.nodeId,
      leaseSeconds: config.sinks.takeoverSeconds,
      eligible: () => this.#running.size > 0,
      // A node that cannot open a sink must leave its shards to the others.
      says: () => saidOf(this.#running.values()),
      onView: (view) => {
        this.metrics.cluster.saw('sinks', view.live.length);
        this.#running.forEach((sink) => sink.see(view));
      },
      onLost: () => this.#running.forEach((sink) => sink.lost()),
      ...{ clock, logger },
    });
    this.#reports = new SinkReports(keys, this.#instances.id);
  }

  /** Begins to follow the records. No errors. */
  onApplicationBootstrap(): void {
    this.#tellStanding();
    this.#leave = this.administration.directory.onChange((change) => {
      if (change === 'all' || change.kind === 'sink' || change.kind === 'tenant') this.#reconcile();
    });
    this.#reconcile();
  }

  get health(): Health {
    const failing = [...this.#running].flatMap(([place, { health }]) =>
      health.ok ? [] : [`sink ${place}: ${health.reason}`],
    );
    const closed = [...this.#faults].map(([place, reason]) => `sink ${place}: ${reason}`);
    const warnings = [...closed, ...failing];
    // A dead server of one tenant must not make the node unready.
    return { ok: true, reason: `${this.#running.size} sinks`, ...(warnings.length > 0 && { warnings }) };
  }

  /** Why the sink is not open on this node; null: it is, or nobody wants it to be. No errors. */
  faultOf({ record }: Entry): string | null {
    return this.#faults.get(`${record.tenant}/${record.name}`) ?? null;
  }

  /**
   * What all nodes say of the sink.
   * @throws ServiceError storageUnavailable, draining
   */
  reportsOf({ record }: Entry): Promise<readonly SinkReport[]> {
    return this.#reports.of(record.id);
  }

  /** Gives everything to the other nodes, in order as far as the drain allows. Never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#leave();
    clearInterval(this.#timer);
    const left = new Promise((resolve) => setTimeout(resolve, this.config.drainTimeoutMs).unref());
    const closed = Promise.all([...this.#turns.values(), ...[...this.#running.values()].map((sink) => sink.close())]);
    await Promise.race([closed.then(() => this.#instances.stop()), left]);
  }

  #tellStanding(): void {
    const { sinks, sinkInFlight, sinkRevisionsBehind, sinkSecondsBehind } = this.metrics.access;
    const reports = (): SinkReport[] =>
      [...this.#running.values()].flatMap((sink) => sink.report('', this.clock.now()) ?? []);
    const most = (of: (report: SinkReport) => number): number =>
      reports().reduce((max, each) => Math.max(max, of(each)), 0);
    sinks.read = () => {
      const failing = [...this.#running.values()].filter(({ health }) => !health.ok).length;
      return [
        [['true'], this.#running.size - failing],
        [['false'], failing],
      ];
    };
    sinkInFlight.read = () => reports().reduce((sum, { inFlight }) => sum + inFlight, 0);
    sinkRevisionsBehind.read = () => most(({ revisionsBehind }) => revisionsBehind);
    sinkSecondsBehind.read = () => most(({ secondsBehind }) => secondsBehind);
  }

  #reconcile(): void {
    const places = new Set([...this.#running.keys(), ...this.#known.keys(), ...this.#faults.keys()]);
    for (const { record } of this.administration.directory.list('sink')) places.add(`${record.tenant}/${record.name}`);
    for (const place of places) this.#turn(place);
  }

  #turn(place: string): void {
    const turn = (this.#turns.get(place) ?? Promise.resolve())
      .then(() => this.#settle(place))
      .catch((error: unknown) => this.logger.error({ sink: place, err: error }, 'a sink could not be changed'))
      .finally(() => {
        if (this.#turns.get(place) === turn) this.#turns.delete(place);
      });
    this.#turns.set(place, turn);
  }

  /** Makes of the sink what its record says now. */
  async #settle(place: string): Promise<void> {
    const names = place.split('/') as [string, string];
    const entry = this.administration.find('sink', names);
    const before = this.#running.get(place);
    const wanted = entry !== null && this.#mayRun(entry) ? entry : null;
    if (this.#stopped || (before && before.entry.revision === wanted?.revision)) return;
    if (before) {
      await before.close();
      this.#running.delete(place);
    }
    const known = this.#known.get(place);
    if (known && isGone(known, entry)) {
      await this.#forget(known);
      this.#known.delete(place);
    }
    this.#faults.delete(place);
    if (wanted !== null && !this.#stopped) this.#open(place, wanted);
  }

  async #forget({ record: { tenant, name, id } }: Entry): Promise<void> {
    await forgetSink(this.means.keys, id).catch((error: unknown) => {
      const reason = reasonOf(error);
      this.logger.warn({ sink: `${tenant}/${name}`, reason }, 'cursors of a deleted sink are left over');
    });
  }

  #mayRun({ fault, record }: Entry): boolean {
    const tenant = this.administration.find('tenant', [record.tenant])?.record;
    return fault === null && !record.isPaused && tenant?.isDisabled === false;
  }

  #open(place: string, entry: Entry): void {
    const { id, tenant, name, kind, settings } = entry.record;
    const logger = this.logger.child({ sink: place });
    const { keys, kinds, secrets } = this.means;
    try {
      const found = kinds.get(kind);
      if (!found) throw new Error(`this version knows no sinks of the kind ${kind}`);
      const stored = { settings: JSON.parse(settings), secrets: secrets.read(entry.record) };
      const parts = { tenant, sink: name, id, keys: ownKeys(keys, id), clock: this.clock, logger };
      const open = found.open(stored, {
        ...parts,
        isOwner: () => this.#instances.lease !== null,
        pause: (reason) => void this.#pause(entry, reason),
      });
      const { maxInFlight } = this.config.sinks;
      const own = { keys, instances: this.#instances, feed: this.feed, maxInFlight, logger };
      this.#running.set(place, new RunningSink(entry, open, own));
    } catch (error) {
      this.#faults.set(place, reasonOf(error));
      logger.error({ reason: reasonOf(error) }, 'a sink cannot be opened on this node');
      return;
    }
    this.#known.set(place, entry);
    this.#instances.hurry();
    this.#timer ??= setInterval(() => void this.#report(), REPORT_MS).unref();
  }

  async #pause({ names, record, revision }: Entry, pauseReason: string): Promise<void> {
    try {
      await this.administration.put('sink', names, { ...record, isPaused: true, pauseReason }, revision);
    } catch (error) {
      // Another node has paused it, or somebody has changed it: its next owner finds out what is right.
      this.logger.warn({ sink: names.join('/'), reason: reasonOf(error) }, 'a sink could not be paused');
    }
  }

  async #report(): Promise<void> {
    const { lease } = this.#instances;
    if (this.#reporting || lease === null) return;
    this.#reporting = true;
    const reports = new Map<string, SinkReport>();
    for (const sink of this.#running.values()) {
      const report = sink.report(this.config.nodeId, this.clock.now());
      if (report) reports.set(sink.entry.record.id, report);
    }
    await this.#reports
      .publish(reports, lease)
      .catch((error: unknown) => this.logger.warn({ reason: reasonOf(error) }, 'the state of sinks is not published'))
      .finally(() => (this.#reporting = false));
  }
}

/** Whether a sink is deleted or replaced. A record that this version cannot read says neither. */
function isGone({ record }: Entry, now: Entry | null): boolean {
  return now === null || (now.fault === null && now.record.id !== record.id);
}
