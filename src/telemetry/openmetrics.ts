import type { Exemplar, Family, FamilyType } from './recorder.js';

/** OpenMetrics 1.0, or the text format 0.0.4 of Prometheus. */
export type MetricsFormat = 'openmetrics' | 'text';

export const CONTENT_TYPES: Readonly<Record<MetricsFormat, string>> = {
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  text: 'text/plain; version=0.0.4; charset=utf-8',
};

/** Entries of an Accept header that are looked at; Prometheus sends four. */
const MAX_ENTRIES = 20;

/** The better one of both formats for a client; text for one that asks for neither. */
export function formatOf(accept: string | undefined): MetricsFormat {
  let openmetrics = 0;
  let text = 0;
  for (const entry of (accept ?? '').split(',', MAX_ENTRIES)) {
    const [type = '', ...parameters] = entry.split(';').map((part) => part.trim().toLowerCase());
    const valueOf = (name: string): string | undefined =>
      parameters.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1);
    const given = Number(valueOf('q') ?? 1);
    const quality = given >= 0 && given <= 1 ? given : 0;
    const version = valueOf('version')?.replaceAll('"', '');
    if (type === 'application/openmetrics-text' && (version === undefined || version === '1.0.0'))
      openmetrics = Math.max(openmetrics, quality);
    if (type === 'text/plain' || type === 'text/*' || type === '*/*') text = Math.max(text, quality);
  }
  return openmetrics > 0 && openmetrics >= text ? 'openmetrics' : 'text';
}

/** The page of metrics. A family that nothing has bound is left out; one whose reader throws, too. */
export function renderMetrics(families: Iterable<Family>, format: MetricsFormat): string {
  const lines: string[] = [];
  for (const family of families) {
    const samples = samplesOf(family);
    if (samples === null) continue;
    const { name, help, type } = family;
    const shown = format === 'text' ? name + suffixOf(type) : name;
    lines.push(`# HELP ${shown} ${escapeHelp(help, format)}`);
    // Prometheus knows no such type in its text format, and promtool refuses it.
    lines.push(`# TYPE ${shown} ${type === 'info' && format === 'text' ? 'gauge' : type}`);
    for (const { suffix, labels, value, exemplar } of samples) {
      // The text format has none.
      const example = exemplar === undefined || format === 'text' ? '' : exemplarText(exemplar);
      lines.push(`${name}${suffix}${labelText(labels)} ${number(value)}${example}`);
    }
  }
  if (format === 'openmetrics') lines.push('# EOF');
  return `${lines.join('\n')}\n`;
}

/** In the text format the suffix is a part of the name of a family. */
export function suffixOf(type: FamilyType): '' | '_total' | '_info' {
  return type === 'counter' ? '_total' : type === 'info' ? '_info' : '';
}

function samplesOf(family: Family): ReturnType<Family['samples']> {
  try {
    return family.samples();
  } catch {
    return null;
  }
}

function labelText(labels: readonly string[]): string {
  if (labels.length === 0) return '';
  const pairs: string[] = [];
  for (let i = 0; i < labels.length; i += 2) pairs.push(`${labels[i]}="${escapeValue(labels[i + 1] ?? '')}"`);
  return `{${pairs.join(',')}}`;
}

/** Its time is in seconds. */
function exemplarText({ traceId, value, at }: Exemplar): string {
  return ` # ${labelText(['trace_id', traceId])} ${number(value)} ${number(at / 1000)}`;
}

const escapeValue = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

function escapeHelp(help: string, format: MetricsFormat): string {
  const escaped = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return format === 'openmetrics' ? escaped.replaceAll('"', '\\"') : escaped;
}

function number(value: number): string {
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  return String(value);
}
