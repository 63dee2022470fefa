import { readFileSync } from 'node:fs';
import { build, type Metafile } from 'esbuild';

const { dependencies } = JSON.parse(readFileSync('src/cli/package.json', 'utf8')) as {
  dependencies: Record<string, string>;
};
let outputs: Metafile['outputs'];

beforeAll(async () => {
  const { metafile } = await build({
    ...{ entryPoints: ['src/cli/main.ts'], outdir: 'dist', bundle: true, splitting: true, packages: 'external' },
    ...{ format: 'esm', platform: 'node', metafile: true, write: false },
  });
  outputs = metafile.outputs;
});

const packageOf = (path: string): string => path.split('/', path.startsWith('@') ? 2 : 1).join('/');

it('depends on the packages that it imports, and on no other', () => {
  const imported = Object.values(outputs).flatMap(({ imports }) => imports.filter(({ external }) => external));
  const packages = new Set(
    imported
      .map(({ path }) => path)
      .filter((path) => !path.startsWith('node:'))
      .map(packageOf),
  );
  expect([...packages].sort()).toEqual(Object.keys(dependencies).sort());
});

it('starts other programs in one place, which is loaded when an operator asks for it', () => {
  const starting = Object.values(outputs).filter(({ imports }) =>
    imports.some(({ path }) => /^(node:)?(child_process|cluster|worker_threads)$/.test(path)),
  );
  expect(starting.flatMap(({ inputs }) => Object.keys(inputs))).toEqual(['src/cli/execute.ts']);
});

it('loads commander alone before it knows the command', () => {
  const files = new Set(Object.keys(outputs).filter((file) => outputs[file]!.entryPoint === 'src/cli/main.ts'));
  const packages = new Set<string>();
  // What a file imports comes behind it in the set.
  for (const file of files)
    for (const { path, kind, external } of outputs[file]!.imports) {
      if (kind !== 'import-statement') continue;
      if (!external) files.add(path);
      else if (!path.startsWith('node:')) packages.add(path);
    }
  expect([...packages]).toEqual(['commander']);
  const inputs = [...files].flatMap((file) => Object.keys(outputs[file]!.inputs));
  expect(inputs.filter((path) => /^src\/(sdk|policies|cli\/(admin|policy))\//.test(path))).toEqual([]);
});
