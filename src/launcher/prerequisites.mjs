import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run, step, Stop } from './steps.mjs';

/** The program that npm cannot install. */
export const ETCD = { program: 'etcd', debian: 'etcd-server', fedora: 'etcd', macos: 'etcd' };

const POLICY = '/usr/sbin/policy-rc.d';

/** Installs missing programs where this needs no question (Debian, as root); else throws Stop with the remedy. */
export function ensurePrograms(
  needs,
  { path = process.env.PATH ?? '', uid = process.getuid?.(), policy = POLICY } = {},
) {
  // A need that is no program of the PATH brings its own look.
  const isThere = (need) => need.isThere?.() ?? find(need.program, path);
  const missing = needs.filter((need) => !isThere(need));
  if (missing.length === 0) return;
  if (find('apt-get', path) && uid === 0) {
    const packages = missing.map(({ debian }) => debian);
    step(`installing ${packages.join(', ')} (apt-get)`, () =>
      withoutServices(policy, () => aptInstall(packages, path)),
    );
    // With systemd, the packages have registered their services for the next start of the machine.
    if (existsSync('/run/systemd/system')) {
      process.stderr.write('umbra: the packaged services are not needed; see `systemctl disable etcd mosquitto`\n');
    }
  }
  const still = missing.filter((need) => !isThere(need));
  if (still.length > 0) throw new Stop(advice(still));
}

function aptInstall(packages, path) {
  const env = { ...process.env, PATH: path, DEBIAN_FRONTEND: 'noninteractive' };
  // Seconds to wait for another apt-get.
  const options = ['-q', '-o', 'DPkg::Lock::Timeout=120'];
  run('apt-get', [...options, 'update'], { env });
  run('apt-get', [...options, 'install', '-y', '--no-install-recommends', ...packages], { env });
}

/** Debian starts the service of a package during its installation, unless this file exits with 101. */
function withoutServices(policy, work) {
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    work();
  } finally {
    if (ours) rmSync(policy, { force: true });
  }
}

function find(program, path) {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function advice(missing) {
  const list = (system) => [...new Set(missing.map((need) => need[system]))].join(' ');
  const lines = [
    `Missing: ${missing.map(({ program }) => program).join(', ')}. Install:`,
    `  Debian, Ubuntu:  apt-get install ${list('debian')}   (as root)`,
    `  Fedora:          dnf install ${list('fedora')}`,
    `  macOS:           brew install ${list('macos')}`,
  ];
  if (missing.includes(ETCD)) lines.push('  or use an etcd that runs elsewhere: UMBRA_ETCD_ENDPOINTS=http://host:2379');
  return lines.join('\n');
}
