/** The local etcd cannot be started. The message gives an operator the problem, etcd's last lines and advice. */
export class LocalEtcdError extends Error {
  override readonly name = 'LocalEtcdError';
  constructor(
    readonly problem: string,
    readonly advice: string,
    /** Last lines of etcd's output, oldest first. */
    readonly lastLines: readonly string[] = [],
  ) {
    const said = lastLines.length === 0 ? [] : ['The last that etcd said:', ...lastLines.map((line) => `  ${line}`)];
    super([problem, ...said, advice].join('\n'));
  }
}

export const INSTALL_ADVICE = [
  'Install etcd, or use one that runs elsewhere:',
  '  Debian, Ubuntu:  apt-get install etcd-server',
  '  Fedora:          dnf install etcd',
  '  macOS:           brew install etcd',
  '  elsewhere:       UMBRA_ETCD_ENDPOINTS=http://host:2379',
].join('\n');
