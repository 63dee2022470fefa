import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { compile } from './compile.js';
import { compileFrozen, NOT_FROZEN } from './frozen.js';

/**
 * `npm run bench [-- NAME … | table] [--quick | --smoke] [--json FILE] [--page FILE] [--against REVISION]`, or
 * `npm run bench -- --soak [--minutes N] [--json FILE]`. Compiles the service, its peers and the load with one
 * compiler, so that none of them pays for a loader, and runs the benches in a process that may open many sockets.
 */
const out = compile(process.cwd());
const against = process.argv.indexOf('--against');
const other = against < 0 ? null : compile(process.cwd(), process.argv[against + 1]);
const frozen = compileFrozen(process.cwd());
if (frozen === null) process.stderr.write(`${NOT_FROZEN}\n`);
const peer = (folder: string): string => join(folder, 'test', 'bench', 'peers', 'main.js');
const main = join(out, 'test', 'bench', 'main.js');
// Idle connections need descriptors on both ends; where the limit may not be raised, fewer are opened and it is said.
const raise = 'ulimit -n 65536 2>/dev/null || ulimit -n $(ulimit -Hn); exec "$0" "$@"';
const child = spawn('/bin/sh', ['-c', raise, process.execPath, '--expose-gc', main, ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: {
    ...process.env,
    UMBRA_E2E_MAIN: peer(out),
    BENCH_AGAINST: other === null ? '' : peer(other),
    BENCH_FROZEN: frozen === null ? '' : peer(frozen),
  },
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => process.exit(code ?? 1));
