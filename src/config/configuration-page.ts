import { Env } from './env.js';
import { VARIABLES, type Variable } from './variable.js';

const SECTIONS: readonly { title: string; prefix: string }[] = [
  { title: 'HTTP', prefix: 'UMBRA_HTTP' },
  { title: 'MQTT', prefix: 'UMBRA_MQTT' },
  { title: 'TLS', prefix: 'UMBRA_TLS_' },
  { title: 'etcd', prefix: 'UMBRA_ETCD_' },
  { title: 'Watch streams', prefix: 'UMBRA_WATCH_' },
  { title: 'Node and limits', prefix: 'UMBRA_' },
];

const INTRODUCTION = `# Configuration

A node is configured by environment variables. A file \`.env\` in the working directory is read too; what is set in both
counts as in the environment. An empty variable counts as one that is not set. Everything is checked at start: a node
with a bad value, or with a \`UMBRA_\` variable that does not exist, names all of them and does not start.

This page is written from \`src/config/env.ts\` by \`npm run docs:configuration\`; change it there.
`;

/** The text of docs/configuration.md. */
export function configurationPage(): string {
  const rest = [...VARIABLES];
  const sections = SECTIONS.map(({ title, prefix }) => {
    const rows = rest.filter(({ name }) => name.startsWith(prefix));
    for (const row of rows) rest.splice(rest.indexOf(row), 1);
    return [`## ${title}`, '', ...table(rows), ''].join('\n');
  });
  return [INTRODUCTION, ...sections].join('\n');
}

function table(rows: readonly Variable[]): string[] {
  const defaults: Readonly<Record<string, unknown>> = { ...new Env() };
  const lines = rows.map((row) => {
    const fallback = row.defaultText ?? `\`${String(defaults[row.name])}\``;
    return `| \`${row.name}\` | ${fallback} | ${row.type} | ${row.unit} | ${row.meaning} |`;
  });
  return ['| variable | default | value | unit | meaning |', '| --- | --- | --- | --- | --- |', ...lines];
}
