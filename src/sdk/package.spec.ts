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

interface Bundled {
  /** Text of the files that a page loads before its own code runs. */
  readonly atOnce: readonly string[];
  /** Text of those that are loaded when they are needed. */
  readonly later: readonly string[];
}

/** Bytes that are delivered: a server compresses each file by itself. */
const sizeOf = (files: readonly string[]): number => files.reduce((sum, text) => sum + gzipSync(text).length, 0);

/** A page with this code, which esbuild splits as applications do. */
const page = (contents: string): BuildOptions => ({ stdin: { contents, resolveDir: FOLDER, loader: 'ts' } });

async function bundled(options: BuildOptions): Promise<Bundled> {
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
  const files = outputFiles!.map(({ path, text }) => ({ path: relative(process.cwd(), path), text }));
  const textsOf = (isAtOnce: boolean): string[] =>
    files.filter(({ path }) => atOnce.has(path) === isAtOnce).map(({ text }) => text);
  return { atOnce: textsOf(true), later: textsOf(false) };

  function isLater(path: string): boolean {
    const all = Object.values(outputs).flatMap(({ imports }) => imports);
    return all.some((each) => each.path === path && each.kind === 'dynamic-import');
  }
}

it.each(sources)('the entry %s has a source', (_, code, types) => {
  expect([existsSync(code), types]).toEqual([true, code]);
});

it('is small enough for a page', async () => {
  const code = `import { Umbra, clientSecret } from './index.js'; globalThis.umbra = [Umbra, clientSecret];`;
  const { atOnce, later } = await bundled(page(code));
  expect(sizeOf(atOnce)).toBeLessThan(12_000);
  // A session, once a client asks for its first token; a cache that keeps itself, once there is one.
  expect(sizeOf(later)).toBeLessThan(6_200);
});

it('is small beside mqtt.js for a device', async () => {
  const { atOnce } = await bundled({ entryPoints: [`${FOLDER}/device/index.ts`], external: ['mqtt'] });
  expect(sizeOf(atOnce)).toBeLessThan(15_000);
});

it('does nothing when it is imported', async () => {
  const contents = `import './index.js'; import './auth/index.js'; import './redis/index.js';`;
  // What is loaded later is no import.
  const external = ['./client-secret.js', './kept-cache.js'];
  const { atOnce } = await bundled({ ...page(contents), external, ignoreAnnotations: true, splitting: false });
  expect(atOnce.join('')).toBe('');
  const device = page(`import './device/index.js';`);
  const left = await bundled({ ...device, ignoreAnnotations: true, external: ['mqtt'], splitting: false });
  expect(left.atOnce.join('').trim()).toMatch(/^import( \w+ from)?"mqtt";$/);
});
