import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number };
  readonly targets: readonly { readonly refId: string; readonly expr: string; readonly legendFormat: string }[];
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly Panel[];
}

const FOLDER = 'k8s/observability';

/** The dashboards of nodes, by their files; the one of clients has metrics of another program. */
export function readDashboards(): ReadonlyMap<string, Dashboard> {
  const names = readdirSync(FOLDER).filter((name) => /^(?!client-tokens).*\.dashboard\.json$/.test(name));
  return new Map(names.map((name) => [name, JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Dashboard]));
}

/** What a panel asks, as Prometheus gets it from Grafana. */
export const asked = (expr: string, rateInterval: string): string =>
  expr.replaceAll('$__rate_interval', rateInterval).replaceAll('$job', '.*');
