import { existsSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { run, step, stopWith } from './steps.mjs';

const SETTINGS = ['package-lock.json', 'nest-cli.json', 'tsconfig.json', 'tsconfig.build.json'];

/** Compiles src to dist when something in src is newer than the last build that succeeded. */
export function ensureBuild(root) {
  const stamp = statSync(join(root, 'dist', '.built'), { throwIfNoEntry: false });
  if (stamp !== undefined && existsSync(join(root, 'dist', 'main.js')) && stamp.mtimeMs >= newestSource(root)) return;
  build(root);
}

function build(root) {
  const stamp = join(root, 'dist', '.built');
  // The stamp gets this time, so that a change during the build counts as newer.
  const start = new Date();
  rmSync(stamp, { force: true });
  step('building', () => {
    run(process.execPath, [join('node_modules', '@nestjs', 'cli', 'bin', 'nest.js'), 'build'], { cwd: root });
    writeFileSync(stamp, '');
    utimesSync(stamp, start, start);
  });
}

/** Includes folders, because their times show removed and renamed files. */
function newestSource(root) {
  const src = join(root, 'src');
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => !isForeign(name));
  const paths = [src, ...files.map((name) => join(src, name)), ...SETTINGS.map((name) => join(root, name))];
  // A file may disappear between readdir and stat.
  return Math.max(...paths.map((path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0));
}

/** Specs, and the client library, which has a build of its own. */
const isForeign = (name) => name.endsWith('.spec.ts') || ['sdk', 'cli'].includes(name.split(sep)[0]);

// `npm run build` runs this file and always builds; tests run it with --when-changed.
if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
    if (process.argv.includes('--when-changed')) ensureBuild(root);
    else build(root);
  } catch (error) {
    stopWith(error);
  }
}
