import type { Variable } from './kinds.js';
import { fileVariableOf, FROM_FILE } from './secret-files.js';
import { SECTIONS, type VariableName } from './variables.js';

const INTRODUCTION = `# Configuration

A node is configured by environment variables. A file \`.env\` in the working directory is read too; a variable that is
set in both has its value from the environment. An empty variable counts as one that is not set. Everything is checked
at start: a node with a bad value, or with a \`UMBRA_\` variable that does not exist, names all of them and does not
start.

A secret may come from a file instead, such as one that an orchestrator mounts: \`NAME_FILE\` is the path of the file that
has the value of \`NAME\`, whose last line break is cut off. Only one of the two may be set. Settings that are paths of files
have no such second one.

This page is written from \`src/config/variables.ts\` by \`npm run docs:configuration\`; change it there.
`;

/** The text of docs/configuration.md. */
export function configurationPage(): string {
  const sections = Object.entries(SECTIONS).map(([title, rows]) => [`## ${title}`, '', ...table(rows), ''].join('\n'));
  return [INTRODUCTION, ...sections].join('\n');
}

function table(rows: Readonly<Record<string, Variable>>): string[] {
  const lines = Object.entries(rows).map(([name, row]) => {
    const byDefault = row.defaultText ?? `\`${String(row.default)}\``;
    const isFromFile = FROM_FILE.includes(name as VariableName);
    const or = isFromFile ? ` Or the file that ${fileVariableOf(name as VariableName)} names.` : '';
    return `| \`${name}\` | ${byDefault} | ${row.type} | ${row.unit} | ${row.meaning}${or} |`;
  });
  return ['| variable | default | value | unit | meaning |', '| --- | --- | --- | --- | --- |', ...lines];
}
