import { existsSync, readFileSync } from 'node:fs';
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

/** A page that imports all of an entry. */
async function bundled(options: BuildOptions): Promise<Uint8Array> {
  const { outputFiles } = await build({
    ...{ bundle: true, minify: true, format: 'esm', platform: 'browser', target: 'es2022', write: false },
    ...options,
  });
  return outputFiles![0]!.contents;
}

it.each(sources)('the entry %s has a source', (_, code, types) => {
  expect([existsSync(code), types]).toEqual([true, code]);
});

it('is small enough for a page', async () => {
  expect(gzipSync(await bundled({ entryPoints: [`${FOLDER}/index.ts`] })).length).toBeLessThan(12_000);
});

it('is small beside mqtt.js for a device', async () => {
  const code = await bundled({ entryPoints: [`${FOLDER}/device/index.ts`], external: ['mqtt'] });
  expect(gzipSync(code).length).toBeLessThan(15_000);
});

it('does nothing when it is imported', async () => {
  const contents = `import './index.js'; import './auth/index.js'; import './redis/index.js';`;
  const code = await bundled({ stdin: { contents, resolveDir: FOLDER, loader: 'ts' }, ignoreAnnotations: true });
  expect(new TextDecoder().decode(code)).toBe('');
  const device = { contents: `import './device/index.js';`, resolveDir: FOLDER, loader: 'ts' } as const;
  const left = await bundled({ stdin: device, ignoreAnnotations: true, external: ['mqtt'] });
  expect(new TextDecoder().decode(left).trim()).toMatch(/^import(\{connect as \w+\}from)?"mqtt";$/);
});
