import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** The page with a row for every statement of the standards that binds a server. */
const PAGE = 'docs/mqtt-conformance.md';

/** Sections that have numbered statements, with their first and last number. */
const STATEMENTS: Readonly<Record<string, Readonly<Record<string, readonly [number, number]>>>> = {
  // prettier-ignore
  '5.0': {
    '1.5.4': [1, 3], '1.5.5': [1, 1], '1.5.7': [1, 1], '2.1.3': [1, 1], '2.2.1': [2, 6], '2.2.2': [1, 1], '3.1.0': [1, 2],
    '3.1.2': [1, 30], '3.1.3': [1, 12], '3.1.4': [1, 6], '3.2.0': [1, 2], '3.2.2': [1, 22], '3.3.1': [1, 13],
    '3.3.2': [1, 20], '3.3.4': [1, 10], '3.4.2': [1, 3], '3.5.2': [1, 3], '3.6.1': [1, 1], '3.6.2': [1, 3],
    '3.7.2': [1, 3], '3.8.1': [1, 1], '3.8.3': [1, 5], '3.8.4': [1, 8], '3.9.2': [1, 2], '3.9.3': [1, 2],
    '3.10.1': [1, 1], '3.10.3': [1, 2], '3.10.4': [1, 6], '3.11.2': [1, 2], '3.11.3': [1, 2], '3.12.4': [1, 1],
    '3.14.0': [1, 1], '3.14.1': [1, 1], '3.14.2': [1, 4], '3.14.4': [1, 3], '3.15.1': [1, 1], '3.15.2': [1, 3],
    '4.1.0': [1, 2], '4.2': [1, 1], '4.3.1': [1, 1], '4.3.2': [1, 5], '4.3.3': [1, 13], '4.4.0': [1, 2],
    '4.5.0': [1, 2], '4.6.0': [1, 6], '4.7.0': [1, 1], '4.7.1': [1, 2], '4.7.2': [1, 1], '4.7.3': [1, 4],
    '4.8.2': [1, 6], '4.9.0': [1, 3], '4.12.0': [1, 7], '4.12.1': [1, 2], '4.13.1': [1, 1], '4.13.2': [1, 1],
    '6.0.0': [1, 4],
  },
  // prettier-ignore
  '3.1.1': {
    '1.5.3': [1, 3], '2.2.2': [1, 2], '2.3.1': [1, 7], '3.1.0': [1, 2], '3.1.2': [1, 24], '3.1.3': [1, 11],
    '3.1.4': [1, 5], '3.2.0': [1, 1], '3.2.2': [1, 6], '3.3.1': [1, 12], '3.3.2': [1, 3], '3.3.4': [1, 1],
    '3.3.5': [1, 2], '3.6.1': [1, 1], '3.8.1': [1, 1], '3.8.3': [1, 4], '3.8.4': [1, 6], '3.9.3': [1, 2],
    '3.10.1': [1, 1], '3.10.3': [1, 2], '3.10.4': [1, 6], '3.12.4': [1, 1], '3.14.1': [1, 1], '3.14.4': [1, 3],
    '4.1.0': [1, 2], '4.3.1': [1, 1], '4.3.2': [1, 2], '4.3.3': [1, 2], '4.4.0': [1, 1], '4.5.0': [1, 2],
    '4.6.0': [1, 6], '4.7.1': [1, 3], '4.7.2': [1, 1], '4.7.3': [1, 4], '4.8.0': [1, 2], '6.0.0': [1, 4],
    '7.0.0': [1, 2], '7.1.1': [1, 1], '7.1.2': [1, 1],
  },
};

interface Row {
  readonly statement: string;
  readonly says: string;
  readonly heldBy: string;
}

const page = readFileSync(PAGE, 'utf8');
const specs = new Map(
  ['src', 'test'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.spec.ts'))
      .map((name) => [basename(name, '.spec.ts'), join(folder, name)] as const),
  ),
);

function chapter(version: string): string {
  const text = page.split(/^## /m).find((part) => part.startsWith(`MQTT ${version}\n`));
  if (text === undefined) throw new Error(`${PAGE} has no chapter for MQTT ${version}`);
  return text;
}

function rowsOf(version: string): Row[] {
  return [...chapter(version).matchAll(/^\| (MQTT-[\d.-]+) +\| (.*?) +\| (.*?) *\|$/gm)].map(
    ([, statement = '', says = '', heldBy = '']) => ({ statement, says, heldBy }),
  );
}

/** Why a row is not held by its tests, or null. */
function problemOf({ heldBy }: Row): string | null {
  if (heldBy.startsWith('Not here: ')) return heldBy.length < 30 ? 'the reason is too short' : null;
  for (const part of heldBy.split('<br>')) {
    const [, spec = '', title = ''] = /^`([\w.-]+)`: (.+)$/.exec(part) ?? [];
    const path = specs.get(spec);
    if (path === undefined) return `there is no test ${part}`;
    if (!readFileSync(path, 'utf8').includes(title)) return `${path} has nothing called ${title}`;
  }
  return null;
}

describe.each(Object.entries(STATEMENTS))('the table of MQTT %s', (version, sections) => {
  const rows = rowsOf(version);

  it('has every statement once: in a row, or among those that bind clients only', () => {
    const [, clientsOnly = ''] = /They bind clients only: ([^]*?)\n\n|$/.exec(`${chapter(version)}\n\n`) ?? [];
    const ofClients = clientsOnly.match(/MQTT-[\d.]+-\d+/g) ?? [];
    const expected = Object.entries(sections).flatMap(([section, [first, last]]) =>
      Array.from({ length: last - first + 1 }, (_, i) => `MQTT-${section}-${first + i}`),
    );
    expect([...rows.map(({ statement }) => statement), ...ofClients].sort()).toEqual(expected.sort());
  });

  it('says of each what it asks, and which test holds it or why none does', () => {
    const problems = rows.map((row) => [row.statement, row.says === '' ? 'it says nothing' : problemOf(row)] as const);
    expect(problems.filter(([, problem]) => problem !== null)).toEqual([]);
  });
});
