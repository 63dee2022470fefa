import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Pages that code cites by the numbers of their sections. */
const PAGES = { PROTOCOL: 'docs/protocol.md', ETCD: 'docs/etcd.md' } as const;
/** A section number behind the name of a page, alone or in a list: `PROTOCOL 2.2, 2.3`. */
const CITATION = /\b(PROTOCOL|ETCD) (\d+(?:\.\d+)*(?:, \d+(?:\.\d+)*)*)/g;
/** Names of documents in capitals, as they are cited; each must be one of PAGES. */
const DOCUMENT =
  /\b(PROTOCOL|ETCD|DESIGN|STYLE|PERFORMANCE|CLIENTS|HOUSE|HOTPATH|OPERATIONS|ACCESS|REVIEW)(?: rule)? \d/g;
const ADR = /\bADR (\d{4})\b/g;
/** A page or a source named by its path from the root. */
const PATH = /(?<![\w./-])(?:docs|src|test|k8s)\/[\w./-]+\.(?:md|ts|mjs|json|yaml|mmd)\b/g;
/** Characters of a line of a page, outside of tables and code. */
const LINE = 140;

const filesBelow = (folder: string, ending: RegExp): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((name) => ending.test(name));

const sources = [
  ...filesBelow('src', /\.(?:ts|mjs)$/),
  ...filesBelow('test', /\.(?:ts|mjs)$/),
  'eslint.config.mjs',
  '.dependency-cruiser.cjs',
].filter((name) => !name.endsWith('citations.spec.ts'));
const pages = ['README.md', 'CHANGELOG.md', ...filesBelow('docs', /\.md$/)];
const existing = new Set([...['src', 'test', 'docs', 'k8s'].flatMap((folder) => filesBelow(folder, /./)), ...pages]);

/** Texts of comments only: a name in capitals in the code is a constant. */
function commentsOf(text: string): string {
  return (text.match(/\/\*[\s\S]*?\*\/|\/\/.*$/gm) ?? []).join('\n').replace(/\n\s*(?:\*|\/\/) ?/g, ' ');
}

const sectionsOf = (page: string): Set<string> =>
  new Set([...readFileSync(page, 'utf8').matchAll(/^#{2,4} (\d+(?:\.\d+)*)\.? /gm)].map(([, number]) => number ?? ''));

describe('citations', () => {
  const cited = [
    ...sources.map((file) => ({ file, text: commentsOf(readFileSync(file, 'utf8')) })),
    ...pages.map((file) => ({ file, text: readFileSync(file, 'utf8') })),
  ];

  it('are there to be resolved', () => {
    const count = cited.reduce((sum, { text }) => sum + [...text.matchAll(CITATION)].length, 0);
    expect(count).toBeGreaterThan(50);
  });

  it('of scenarios and scripts name some that are there', () => {
    const plans = filesBelow('test/faults/plans', /\.ts$/).map((file) => readFileSync(file, 'utf8'));
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
    const unresolved = cited.flatMap(({ file, text }) => {
      const scenarios = [...text.matchAll(/--scenario ["']([^"']+)["']/g)].map(([, name]) => name ?? '');
      const run = [...text.matchAll(/npm run (?:-s )?([a-z][\w:-]*)/g)].map(([, name]) => name ?? '');
      return [
        ...scenarios.filter((name) => !plans.some((plan) => plan.includes(name))),
        ...run.filter((name) => !(name in scripts)),
      ].map((name) => `${file}: ${name}`);
    });
    expect(unresolved).toEqual([]);
  });

  it('of sections name one that the page has', () => {
    const sections = { PROTOCOL: sectionsOf(PAGES.PROTOCOL), ETCD: sectionsOf(PAGES.ETCD) };
    const unresolved = cited.flatMap(({ file, text }) =>
      [...text.matchAll(CITATION)].flatMap(([, page, list]) =>
        (list ?? '')
          .split(', ')
          .filter((number) => !sections[page as keyof typeof sections].has(number))
          .map((number) => `${file}: ${page} ${number}`),
      ),
    );
    expect(unresolved).toEqual([]);
  });

  it('name only documents of this repository', () => {
    const foreign = cited.flatMap(({ file, text }) =>
      [...text.matchAll(DOCUMENT)].filter(([, name]) => !(name! in PAGES)).map(([found]) => `${file}: ${found}`),
    );
    expect(foreign).toEqual([]);
  });

  it('of decisions name one in docs/adr', () => {
    const numbers = new Set(readdirSync('docs/adr').map((name) => name.slice(0, 4)));
    const unresolved = cited.flatMap(({ file, text }) =>
      [...text.matchAll(ADR)].filter(([, number]) => !numbers.has(number ?? '')).map(([found]) => `${file}: ${found}`),
    );
    expect(unresolved).toEqual([]);
  });

  it('of files name one that exists', () => {
    const unresolved = cited
      .filter(({ file }) => !file.endsWith('.spec.ts') && file !== 'CHANGELOG.md')
      .flatMap(({ file, text }) =>
        [...text.matchAll(PATH)].filter(([path]) => !existing.has(path)).map(([path]) => `${file}: ${path}`),
      );
    expect(unresolved).toEqual([]);
  });
});

describe('pages', () => {
  it.each(pages)('%s keeps its lines short outside of tables and code', (page) => {
    let inCode = false;
    const long = readFileSync(page, 'utf8')
      .split('\n')
      .flatMap((line, index) => {
        if (line.startsWith('```')) inCode = !inCode;
        return !inCode && !line.startsWith('|') && line.length > LINE ? [`line ${index + 1}: ${line.length}`] : [];
      });
    expect(long).toEqual([]);
  });
});
