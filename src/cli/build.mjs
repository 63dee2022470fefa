import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/**
 * Compiles the command into few files: what every command needs, and parts that are loaded when they are needed. The
 * client library becomes part of it; packages stay outside.
 * @param {string} outdir
 */
export async function buildCommand(outdir) {
  const folder = fileURLToPath(new URL('.', import.meta.url));
  rmSync(outdir, { recursive: true, force: true });
  return build({
    ...{ entryPoints: [`${folder}main.ts`], outdir, bundle: true, splitting: true, packages: 'external' },
    ...{ format: 'esm', platform: 'node', target: 'node20', banner: { js: '#!/usr/bin/env node' }, metafile: true },
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await buildCommand(fileURLToPath(new URL('dist', import.meta.url)));
