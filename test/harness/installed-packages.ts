import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** Where the packages of this repository stand. */
const OURS = ['src/sdk', 'src/cli'];
const MODULES = resolve('node_modules');

/** A project of somebody else, in which the packages of this repository are installed as npm installs them. */
export interface Project {
  readonly folder: string;
  /** @throws Error with its output if it fails */
  run(program: string, args: readonly string[], env?: Readonly<Record<string, string>>): Promise<string>;
  /** Puts packages beside them that this repository has too, such as an optional peer. */
  link(...packages: readonly string[]): void;
  remove(): void;
}

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/**
 * Packs the client library and the command, and installs them in an empty project by npm, which may not use the network
 * and finds nothing in its cache: all that they need beside themselves are the packages that they name.
 */
export async function installPackages(): Promise<Project> {
  const root = mkdtempSync(join(tmpdir(), 'umbra-packages-'));
  const [tree, packed, folder] = ['tree', 'packed', 'project'].map((name) => join(root, name)) as [
    string,
    string,
    string,
  ];
  for (const each of [tree, packed, folder]) mkdirSync(each);
  // A copy, since packing builds, and other tests use what is built here. The command has parts of the service in it.
  for (const path of ['package.json', 'tsconfig.json', 'src'])
    cpSync(path, join(tree, path), {
      recursive: true,
      filter: (from) => !/(node_modules|dist|[.]spec[.]ts)$/.test(from),
    });
  symlinkSync(MODULES, join(tree, 'node_modules'));
  const npm = (args: readonly string[], cwd: string): Promise<string> =>
    run('npm', ['--offline', `--cache=${join(root, 'cache')}`, '--silent', ...args], cwd);
  const workspaces = OURS.flatMap((path) => ['-w', manifestOf(path).name]);
  const files = (await npm(['pack', ...workspaces, `--pack-destination=${packed}`], tree)).trim().split('\n');
  const ours = OURS.map((path, at) => [manifestOf(path).name, `file:${join(packed, files[at]!)}`]);
  const others = [...closureOf(OURS)].map(
    ([name, from]) => [name, `file:${join(packed, tarball(name))}`, from] as const,
  );
  await Promise.all(others.map(([name, , from]) => pack(from, join(packed, tarball(name)))));
  const dependencies = Object.fromEntries([...ours, ...others.map(([name, file]) => [name, file])]);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'project', type: 'module', dependencies }));
  await npm(['install', '--no-audit', '--no-fund'], folder);
  return {
    folder,
    run: (program, args, env) => run(program, args, folder, env),
    link(...packages) {
      for (const name of packages) {
        const path = join(folder, 'node_modules', name);
        mkdirSync(dirname(path), { recursive: true });
        symlinkSync(join(MODULES, name), path);
      }
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;

const tarball = (name: string): string => `${name.replace('/', '-')}.tgz`;

/** All packages below these, by name, with the folders that they are installed in. */
function closureOf(folders: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const waiting = folders.map((path) => resolve(path));
  for (const folder of waiting)
    for (const name of Object.keys(manifestOf(folder).dependencies ?? {})) {
      if (found.has(name)) continue;
      found.set(name, installed(name, folder));
      waiting.push(found.get(name)!);
    }
  return found;
}

/** The folder that Node finds a package in. */
function installed(name: string, from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    const path = join(folder, 'node_modules', name);
    if (existsSync(path)) return path;
    if (folder === dirname(folder)) throw new Error(`${name} is not installed`);
  }
}

/** The archive of an installed package, as a registry has it. `npm pack` takes ten times as long. */
async function pack(from: string, file: string): Promise<void> {
  const nested = '--exclude=./node_modules';
  await run('tar', ['-czhf', file, nested, '--transform=s,^[.],package,', '-C', from, '.'], '.');
}

async function run(
  program: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(program, args, { cwd, env: { PATH, HOME, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}\n${out}\n${errors}`);
  return out;
}
