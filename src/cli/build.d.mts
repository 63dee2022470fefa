import type { BuildResult } from 'esbuild';

/** Compiles the command into a folder. @throws BuildFailure of esbuild */
export function buildCommand(outdir: string): Promise<BuildResult<{ metafile: true }>>;
