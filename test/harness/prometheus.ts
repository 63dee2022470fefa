import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './ports.js';
import { type RuleFile } from './prometheus-rules.js';
import { ServerProcess } from './server-process.js';

/** Debian's packages of the same names have them. */
export const hasPrometheus = ['prometheus', 'prometheus-alertmanager'].every(
  (program) => spawnSync(program, ['--version']).status === 0,
);

/** Milliseconds between two looks at a target. */
const SCRAPE_MS = 500;

/** A series of an answer, with its last value. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface PrometheusOptions {
  /** By job: host and port. */
  readonly targets: Readonly<Record<string, string>>;
  readonly rules: readonly RuleFile[];
  /** Where alerts are told, as a webhook of Alertmanager. */
  readonly receiver: string;
}

/** A Prometheus and an Alertmanager of a test, which look twice a second. */
export class Prometheus {
  private constructor(
    readonly url: string,
    private readonly servers: readonly ServerProcess[],
    private readonly folder: string,
  ) {}

  static async start({ targets, rules, receiver }: PrometheusOptions): Promise<Prometheus> {
    const folder = mkdtempSync(join(tmpdir(), 'umbra-prometheus-'));
    const [port, alerts] = [await freePort(), await freePort()];
    // JSON is YAML.
    const write = (name: string, content: object): string => {
      writeFileSync(join(folder, name), JSON.stringify(content));
      return join(folder, name);
    };
    const config = write('prometheus.yml', {
      global: { scrape_interval: `${SCRAPE_MS}ms`, evaluation_interval: `${SCRAPE_MS}ms` },
      rule_files: rules.map((file, at) => write(`${at}.rules.yml`, file)),
      alerting: { alertmanagers: [{ static_configs: [{ targets: [`127.0.0.1:${alerts}`] }] }] },
      scrape_configs: Object.entries(targets).map(([job, target]) => ({
        job_name: job,
        static_configs: [{ targets: [target] }],
      })),
    });
    const routes = write('alertmanager.yml', {
      route: { receiver: 'test', group_by: ['...'], group_wait: '0s', group_interval: '1s' },
      receivers: [{ name: 'test', webhook_configs: [{ url: receiver, send_resolved: true }] }],
    });
    const servers = [
      server('prometheus-alertmanager', alerts, [
        ...[`--config.file=${routes}`, `--storage.path=${join(folder, 'alerts')}`, '--cluster.listen-address='],
      ]),
      server('prometheus', port, [
        ...[`--config.file=${config}`, `--storage.tsdb.path=${join(folder, 'data')}`],
        ...['--enable-feature=exemplar-storage', '--rules.alert.resend-delay=1s'],
      ]),
    ];
    await Promise.all(servers.map((each) => each.start()));
    return new Prometheus(`http://127.0.0.1:${port}`, servers, folder);
  }

  /** @throws Error where it does not take the expression */
  async query(expr: string): Promise<Sample[]> {
    const data = await this.#ask(`/api/v1/query?query=${encodeURIComponent(expr)}`);
    const { result } = data as { result: { metric: Record<string, string>; value: [number, string] }[] };
    return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  /** The labels of the exemplars of the last minute. */
  async exemplars(series: string): Promise<Record<string, string>[]> {
    const now = Date.now() / 1000;
    const path = `/api/v1/query_exemplars?query=${encodeURIComponent(series)}&start=${now - 60}&end=${now}`;
    const data = (await this.#ask(path)) as { exemplars: { labels: Record<string, string> }[] }[];
    return data.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels));
  }

  /** The last error of each target. */
  async scrapeErrors(): Promise<string[]> {
    const { activeTargets } = (await this.#ask('/api/v1/targets')) as { activeTargets: { lastError: string }[] };
    return activeTargets.map(({ lastError }) => lastError);
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((each) => each.stop()));
    rmSync(this.folder, { recursive: true });
  }

  async #ask(path: string): Promise<unknown> {
    const answer = await fetch(this.url + path);
    const { status, error, data } = (await answer.json()) as { status: string; error?: string; data: unknown };
    if (status !== 'success') throw new Error(`${path}: ${error}`);
    return data;
  }
}

const server = (program: string, port: number, args: readonly string[]): ServerProcess =>
  new ServerProcess(program, [...args, `--web.listen-address=127.0.0.1:${port}`], () =>
    fetch(`http://127.0.0.1:${port}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );

/** Durations of rules and panels, as the time of a test allows them. The order of the windows stays. */
const SHORT: Readonly<Record<string, string>> = {
  ...{ '30s': '1s', '1m': '1s', '2m': '1s', '3m': '1s', '5m': '3s', '10m': '1s', '15m': '3s', '30m': '3s' },
  ...{ '1h': '5s', '2h': '6s', '6h': '7s', '1d': '9s', '3d': '11s', '1w': '1s' },
};

export function shortened(expr: string): string {
  return expr.replaceAll(/\[(\w+)\]|\boffset \w+/g, (_, window: string | undefined) =>
    window === undefined ? 'offset 1s' : `[${shortDuration(window)}]`,
  );
}

export function shortDuration(duration: string): string {
  const short = SHORT[duration];
  if (short === undefined) throw new Error(`${duration} has no short one`);
  return short;
}
