/**
 * `npm run check:walls`: plants one violation of each wall of the house into a copy of it, and fails when the tool that
 * holds the wall says nothing. A check that never fails might as well not be there.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = process.cwd();
// Outside of the repository: what a run that is killed leaves behind must not be linted.
const copy = join(tmpdir(), `umbra-planted-${process.pid}`);

const layers = ['depcruise', 'src', '--config', '.dependency-cruiser.cjs'];
const lint = (file) => ['eslint', file];
const citations = ['jest', '--selectProjects', 'unit', '--', 'test/architecture/citations.spec.ts'];

const PLANTED = [
  {
    wall: 'ranks: a lower floor imports a higher one',
    file: 'src/store/planted.ts',
    text: "import { App } from '../http/planted-target.js';\nexport const planted = App;\n",
    also: { 'src/http/planted-target.ts': 'export const App = 1;\n' },
    tool: layers,
    says: 'ranks-store',
  },
  {
    wall: 'a circle',
    file: 'src/document/planted-a.ts',
    text: "import { b } from './planted-b.js';\nexport const a = (): unknown => b;\n",
    also: {
      'src/document/planted-b.ts': "import { a } from './planted-a.js';\nexport const b = (): unknown => a;\n",
    },
    tool: layers,
    says: 'no-cycles',
  },
  {
    wall: 'the client library: a module of Node in what browsers load',
    file: 'src/sdk/planted.ts',
    text: "import { readFileSync } from 'node:fs';\nexport const planted = readFileSync;\n",
    tool: layers,
    says: 'the-client-runs-in-browsers',
  },
  {
    wall: 'the command: a part of the client library that is not for its users',
    file: 'src/cli/planted.ts',
    text: "export { textOfFile } from '../sdk/files.js';\n",
    tool: layers,
    says: 'the-command-uses-the-client-alone',
  },
  {
    wall: 'the client library: a timer that is not of the Platform',
    file: 'src/sdk/planted.ts',
    text: 'export const planted = (): unknown => setTimeout(() => undefined, 1);\n',
    tool: lint('src/sdk/planted.ts'),
    says: 'no-restricted-globals',
  },
  {
    wall: 'privacy: `private` instead of #',
    file: 'src/store/planted.ts',
    text: 'export class Planted {\n  private value = 1;\n  get all(): number {\n    return this.value;\n  }\n}\n',
    tool: lint('src/store/planted.ts'),
    says: 'no-restricted-syntax',
  },
  {
    wall: 'file size: more than 400 lines',
    file: 'src/store/planted.ts',
    text: Array.from({ length: 401 }, (_, i) => `export const planted${i} = ${i};\n`).join(''),
    tool: lint('src/store/planted.ts'),
    says: 'max-lines',
  },
  {
    wall: 'citations: a section that no document has',
    file: 'src/store/planted.ts',
    text: `/** A comment (PROTOCOL ${'99.9'}). */\nexport const planted = 1;\n`,
    tool: citations,
    says: '99.9',
  },
];

function run([command, ...args]) {
  const bin = {
    depcruise: 'dependency-cruiser/bin/dependency-cruise.mjs',
    eslint: 'eslint/bin/eslint.js',
    jest: 'jest/bin/jest.js',
  }[command];
  const flags = ['--experimental-vm-modules', '--no-warnings=ExperimentalWarning'];
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, join('node_modules', bin), ...args], {
    cwd: copy,
    encoding: 'utf8',
  });
  return { failed: status !== 0, text: stdout + stderr };
}

function planted({ wall, file, text, also = {}, tool, says }) {
  const files = { [file]: text, ...also };
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(copy, name, '..'), { recursive: true });
    writeFileSync(join(copy, name), content);
  }
  const { failed, text: said } = run(tool);
  for (const name of Object.keys(files)) rmSync(join(copy, name));
  const isHeld = failed && said.includes(says);
  process.stdout.write(`${isHeld ? 'held    ' : 'NOT HELD'} ${wall}\n`);
  if (!isHeld) process.stdout.write(`${said.slice(-1500)}\n`);
  return isHeld;
}

try {
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  for (const name of ['src', 'test', 'docs', 'README.md', 'package.json', 'tsconfig.json', 'jest.config.js'])
    cpSync(join(root, name), join(copy, name), { recursive: true });
  for (const name of ['.dependency-cruiser.cjs', 'eslint.config.mjs', 'CHANGELOG.md'])
    cpSync(join(root, name), join(copy, name));
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  // One after the other: each is judged alone.
  const held = PLANTED.map(planted);
  process.exitCode = held.every(Boolean) ? 0 : 1;
} finally {
  rmSync(copy, { recursive: true, force: true });
}
