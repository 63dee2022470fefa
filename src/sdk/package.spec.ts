import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, type BuildOptions } from 'esbuild';

const FOLDER = 'src/sdk';
const { exports: entries } = JSON.parse(readFileSync(`${FOLDER}/package.json`, 'utf8')) as {
  exports: Record<string, { types: string; default: string } | string>;
};
const sources = Object.entries(entries).flatMap(([entry, target]) =>
  typeof target === 'string' ? [] : [[entry, sourceOf(target.default), sourceOf(target.types)] as const],
);

/** What the build makes these files of. */
function sourceOf(target: string): string {
  return target.replace('./dist/', `${FOLDER}/`).replace(/(\.d)?\.[tj]s$/, '.ts');
}

/** A page that imports all of an entry: what it loads at once, and what it loads when that is needed. */
async function bundled(options: BuildOptions): Promise<{ atOnce: string; later: string }> {
  const { outputFiles, metafile } = await build({
    ...{ bundle: true, minify: true, format: 'esm', platform: 'browser', target: 'es2022', write: false },
    ...{ splitting: true, outdir: 'out', metafile: true },
    ...options,
  });
  const { outputs } = metafile!;
  const atOnce = new Set(Object.keys(outputs).filter((path) => outputs[path]!.entryPoint && !isLater(path)));
  for (const path of atOnce)
    for (const { path: imported, kind, external } of outputs[path]!.imports)
      if (kind === 'import-statement' && !external) atOnce.add(imported);
  const textOf = (isWanted: (path: string) => boolean): string =>
    outputFiles!
      .filter(({ path }) => isWanted(relative(process.cwd(), path)))
      .map(({ text }) => text)
      .join('');
  return { atOnce: textOf((path) => atOnce.has(path)), later: textOf((path) => !atOnce.has(path)) };

  function isLater(path: string): boolean {
    const all = Object.values(outputs).flatMap(({ imports }) => imports);
    return all.some((each) => each.path === path && each.kind === 'dynamic-import');
  }
}

it.each(sources)('the entry %s has a source', (_, code, types) => {
  expect([existsSync(code), types]).toEqual([true, code]);
});

it('is small enough for a page', async () => {
  const { atOnce, later } = await bundled({ entryPoints: [`${FOLDER}/index.ts`] });
  expect(gzipSync(atOnce).length).toBeLessThan(12_000);
  // A session, for pages with a client secret.
  expect(gzipSync(later).length).toBeLessThan(5_000);
});

it('is small beside mqtt.js for a device', async () => {
  const { atOnce } = await bundled({ entryPoints: [`${FOLDER}/device/index.ts`], external: ['mqtt'] });
  expect(gzipSync(atOnce).length).toBeLessThan(15_000);
});

it('does nothing when it is imported', async () => {
  const contents = `import './index.js'; import './auth/index.js'; import './redis/index.js';`;
  const stdin = { contents, resolveDir: FOLDER, loader: 'ts' } as const;
  // What is loaded later is no import.
  const external = ['./client-secret.js'];
  const { atOnce } = await bundled({ stdin, external, ignoreAnnotations: true, splitting: false });
  expect(atOnce).toBe('');
  const device = { contents: `import './device/index.js';`, resolveDir: FOLDER, loader: 'ts' } as const;
  const left = await bundled({ stdin: device, ignoreAnnotations: true, external: ['mqtt'], splitting: false });
  expect(left.atOnce.trim()).toMatch(/^import(\{connect as \w+\}from)?"mqtt";$/);
});
