import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { isTrue, Templates, type Functions, type Value } from './template.js';

export const CHART = 'k8s/chart';

/** Values, of which some may be left out. */
export type Values = { readonly [name: string]: unknown };

const read = (path: string): string => readFileSync(join(CHART, path), 'utf8');
const chart = parse(read('Chart.yaml')) as { name: string; version: string; appVersion: string };

/** The defaults with what is given instead, as Helm lays them over each other: null takes a member away. */
export function valuesWith(given: Values, defaults = parse(read('values.yaml')) as Values): Values {
  const isMap = (value: unknown): value is Values =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  const names = new Set([...Object.keys(defaults), ...Object.keys(given)]);
  return Object.fromEntries(
    [...names].flatMap((name) => {
      const [was, now] = [defaults[name], given[name]];
      if (now === null) return [];
      if (now === undefined) return [[name, was]];
      return [[name, isMap(was) && isMap(now) ? valuesWith(now, was) : now]];
    }),
  );
}

const schema = new Ajv({ strict: false, allErrors: true }).compile(JSON.parse(read('values.schema.json')) as object);

/** What values.schema.json says of values. Helm refuses them for the same. */
export const wrongValues = (values: Values): string[] =>
  schema(values) ? [] : (schema.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);

/**
 * The manifests that Helm would make of the chart, installed as `umbra` in the namespace `umbra`. There is no Helm here:
 * template.ts stands in for it. @throws Error for values that the schema or a template refuses
 */
export function renderChart(given: Values = {}): object[] {
  const values = valuesWith(given);
  const wrong = wrongValues(values);
  if (wrong.length > 0) throw new Error(wrong.join('\n'));
  const templates = new Templates(FUNCTIONS);
  const dot = {
    Values: values,
    Release: { Name: 'umbra', Namespace: 'umbra' },
    Files: { Get: (path: string) => read(path) },
    Chart: { Name: chart.name, Version: chart.version, AppVersion: chart.appVersion },
  };
  const names = readdirSync(join(CHART, 'templates'));
  for (const name of names.filter((each) => each.endsWith('.tpl'))) templates.render(read(`templates/${name}`), dot);
  return names
    .filter((name) => name.endsWith('.yaml'))
    .flatMap((name) => manifestsOf(name, templates.render(read(`templates/${name}`), dot)));
}

function manifestsOf(name: string, text: string): object[] {
  return parseAllDocuments(text, { strict: true, uniqueKeys: true }).flatMap((document) => {
    if (document.errors.length > 0) throw new Error(`${name}: ${document.errors.join('\n')}\n${text}`);
    const manifest = document.toJS() as object | null;
    return manifest === null ? [] : [manifest];
  });
}

const indented = (spaces: Value, text: Value): string => String(text).replace(/^/gm, ' '.repeat(Number(spaces)));

/** Of Go, Sprig and Helm. */
const FUNCTIONS: Functions = {
  and: (...given) => given.find((each) => !isTrue(each)) ?? given.at(-1),
  not: (given) => !isTrue(given),
  eq: (a, b) => a === b,
  default: (otherwise, given) => (isTrue(given) ? given : otherwise),
  int: (given) => Math.trunc(Number(given)),
  until: (count) => Array.from({ length: Number(count) }, (_, at) => at),
  quote: (given) => JSON.stringify(String(given)),
  nindent: (spaces, text) => `\n${indented(spaces, text)}`,
  toYaml: (given) => stringify(given).trimEnd(),
  required: (message, given) => {
    if (given === undefined || given === null || given === '') throw new Error(String(message));
    return given;
  },
};
