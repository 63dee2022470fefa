import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { builtLibrary } from '../../harness/library-build.js';

/** The library beside another build of the service, if that has one. */
export async function libraryOf(main: string | undefined): Promise<string> {
  const beside = main === undefined ? null : join(dirname(main), 'sdk');
  return beside !== null && existsSync(beside) ? beside : builtLibrary();
}
