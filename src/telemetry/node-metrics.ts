import { constants, performance, PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks';
import type { LineCounts } from './logger.js';
import { Counter, Gauge, Histogram } from './recorder.js';
import { VERSION } from './version.js';

/** Milliseconds between two looks at how late the event loop is. */
const LOOK_MS = 100;
/** Shortest time, in milliseconds, over which the use of the event loop is told: two scrapers may ask at once. */
const LEAST_WINDOW_MS = 1_000;

const GC_KINDS: Readonly<Record<number, 'minor' | 'major' | 'incremental' | 'weakcb'>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
};

/** A door with the certificate of the node. */
export type CertificateUse = 'https' | 'mqtts' | 'grpcs';

/** In the order of their numbers in pino, which are ten times their places from 1 on. */
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

const RELOADS = ['ok', 'failed'] as const;

/** The keys of the runtime configuration. */
const RUNTIME_STATES = ['live', 'staged'] as const;

const process_ = (name: string, help: string, type: 'gauge' | 'counter' = 'gauge'): Gauge =>
  new Gauge({ name: `process_${name}`, help }, type);

/** The process, its event loop and its memory. Nothing is measured before `start`. */
export class NodeMetrics implements LineCounts {
  readonly buildInfo = new Gauge(
    {
      name: 'umbra_build',
      help: 'Version of the service and of Node.js, and name of the node; always 1.',
      labels: { version: 1, nodejs: 1, node: 1 },
    },
    'info',
  );
  readonly ready = new Gauge({
    name: 'umbra_ready',
    help: 'Whether a part of the node is ready, as /health/ready says it.',
    labels: { part: 20 },
  });
  readonly draining = new Gauge({ name: 'umbra_draining', help: 'Whether the node is shutting down.' });
  readonly tlsNotAfter = new Gauge({
    name: 'umbra_tls_not_after_seconds',
    help: 'End of the certificate that new connections to a door see, in seconds of the epoch.',
    labels: { use: ['https', 'mqtts', 'grpcs'] },
  });
  readonly tlsReloads = new Counter({
    name: 'umbra_tls_reloads',
    help: 'Changed files of certificates by what came of them; those that failed leave the ones before in force.',
    labels: { use: ['https', 'mqtts', 'grpcs', 'etcd'], result: RELOADS },
  });
  readonly utilization = new Gauge({
    name: 'umbra_event_loop_utilization_ratio',
    help: 'Share of the time since the scrape before in which the event loop was busy.',
  });
  readonly delay = new Histogram({
    name: 'umbra_event_loop_delay_seconds',
    help: 'How late the event loop is, looked at ten times a second.',
  });
  readonly gc = new Histogram({
    name: 'umbra_gc_duration_seconds',
    help: 'Pauses of the garbage collector.',
    labels: { kind: ['minor', 'major', 'incremental', 'weakcb'] },
  });
  readonly logLines = new Counter({
    name: 'umbra_log_lines',
    help: 'Lines of the log by level.',
    labels: { level: LEVELS },
  });
  readonly runtimeVersion = new Gauge({
    name: 'umbra_runtime_config_version',
    help: 'Version of the runtime configuration that the node follows, and of the staged one that it has seen; 0: none.',
    labels: { state: RUNTIME_STATES },
  });
  readonly runtimeRejected = new Counter({
    name: 'umbra_runtime_config_rejected',
    help: 'Documents of the runtime configuration that the node did not take; a live one leaves the one before in force.',
    labels: { state: RUNTIME_STATES },
  });
  readonly process = [
    process_('cpu_user_seconds', 'Processor time in user mode.', 'counter'),
    process_('cpu_system_seconds', 'Processor time in the system.', 'counter'),
    process_('cpu_seconds', 'Processor time.', 'counter'),
    process_('start_time_seconds', 'Start of the process, in seconds of the epoch.'),
    process_('resident_memory_bytes', 'Memory of the process.'),
    new Gauge({ name: 'nodejs_heap_size_total_bytes', help: 'Memory that the heap of JavaScript has.' }),
    new Gauge({ name: 'nodejs_heap_size_used_bytes', help: 'Memory that objects of JavaScript use.' }),
    new Gauge({ name: 'nodejs_external_memory_bytes', help: 'Memory of buffers outside of the heap.' }),
  ] as const;
  readonly #certificates = new Map<CertificateUse, () => number>();
  #timer: NodeJS.Timeout | null = null;
  #observer: PerformanceObserver | null = null;

  constructor() {
    for (const level of LEVELS) this.logLines.bind(level);
  }

  countLine(level: number): void {
    this.logLines.add(Math.trunc(level / 10) - 1);
  }

  /** Says which versions of the runtime configuration the node has. */
  tellOfRuntime(read: () => Readonly<Record<(typeof RUNTIME_STATES)[number], number>>): void {
    for (const state of RUNTIME_STATES) this.runtimeRejected.bind(state);
    this.runtimeVersion.read = () => {
      const versions = read();
      return RUNTIME_STATES.map((state) => [[state], versions[state]] as const);
    };
  }

  refusedRuntime(state: (typeof RUNTIME_STATES)[number]): void {
    this.runtimeRejected.add(RUNTIME_STATES.indexOf(state));
  }

  /** Says when the certificate of a door ends. @param read in seconds of the epoch */
  readTlsNotAfter(use: CertificateUse, read: () => number): void {
    this.#certificates.set(use, read);
    this.tlsNotAfter.read = () => [...this.#certificates].map(([name, each]) => [[name], each()] as const);
  }

  /** Counts what comes of changed files. */
  countTlsReloads(use: CertificateUse | 'etcd'): (result: (typeof RELOADS)[number]) => void {
    const cells = { ok: this.tlsReloads.bind(use, 'ok'), failed: this.tlsReloads.bind(use, 'failed') };
    return (result) => this.tlsReloads.add(cells[result]);
  }

  /** Begins to measure; to be ended with `stop`. */
  start(nodeId: string): void {
    this.buildInfo.read = () => [[[VERSION, process.version, nodeId], 1]];
    this.#readProcess();
    this.utilization.read = utilization();
    this.#watchDelay();
    const cells = Object.entries(GC_KINDS).map(([kind, name]) => [Number(kind), this.gc.bind(name)] as const);
    const cellOf = new Map(cells);
    this.#observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const cell = cellOf.get((entry as PerformanceEntry & { detail: { kind: number } }).detail.kind);
        if (cell !== undefined) this.gc.observe(cell, entry.duration);
      }
    });
    this.#observer.observe({ entryTypes: ['gc'] });
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#observer?.disconnect();
    this.#observer = null;
  }

  #watchDelay(): void {
    let due = performance.now() + LOOK_MS;
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.delay.observe(0, now - due);
      due = now + LOOK_MS;
    }, LOOK_MS).unref();
  }

  #readProcess(): void {
    const [user, system, cpu, start, resident, heapTotal, heapUsed, external] = this.process;
    const started = performance.timeOrigin / 1000;
    user.read = () => process.cpuUsage().user / 1e6;
    system.read = () => process.cpuUsage().system / 1e6;
    cpu.read = () => {
      const used = process.cpuUsage();
      return (used.user + used.system) / 1e6;
    };
    start.read = () => started;
    resident.read = () => process.memoryUsage.rss();
    heapTotal.read = () => process.memoryUsage().heapTotal;
    heapUsed.read = () => process.memoryUsage().heapUsed;
    external.read = () => process.memoryUsage().external;
  }
}

/** The use of the event loop since the last call, or over a longer time where that was just before. */
function utilization(): () => number {
  let from = performance.eventLoopUtilization();
  let at = performance.now();
  let last = 0;
  return () => {
    const now = performance.now();
    if (now - at < LEAST_WINDOW_MS) return last;
    const until = performance.eventLoopUtilization();
    last = performance.eventLoopUtilization(until, from).utilization;
    from = until;
    at = now;
    return last;
  };
}
