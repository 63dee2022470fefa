import { spawnSync } from 'node:child_process';

function run(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

function must(command: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr}`);
}

/** Why network namespaces are not to be had here, or null. On Debian as root what is missing is installed. */
export function namespacesRefused(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs Linux and root';
  if (!run('ip', 'netns') || !run('iptables', '-V')) {
    run('apt-get', 'update');
    run('apt-get', 'install', '-y', 'iproute2', 'iptables');
  }
  const name = `umbra-probe-${process.pid}`;
  if (!run('ip', 'netns', 'add', name)) return 'network namespaces are not permitted';
  const works = run('ip', 'netns', 'exec', name, 'iptables', '-A', 'INPUT', '-s', '10.0.0.1', '-j', 'DROP');
  run('ip', 'netns', 'del', name);
  return works ? null : 'iptables is not permitted';
}

/** Hosts of their own on one bridge; this process is on it as well. */
export class Namespaces {
  /** The kernel takes a while to forget interfaces, so none gets a name twice. */
  static #created = 0;
  readonly #names: string[] = [];
  readonly #remove = (): void => this.stop();

  private constructor(
    private readonly id: string,
    private readonly net: number,
  ) {}

  /** @throws Error of ip(8) */
  static create(count: number): Namespaces {
    // A free network of the 256 below 10.231/16, so that labs can run side by side.
    for (let attempt = 0; attempt < 256; attempt++) {
      const net = (process.pid + attempt) % 256;
      const space = new Namespaces(`ul${net}x${Namespaces.#created++ % 1000}`, net);
      // Its name tells other labs that the network is taken.
      if (!run('ip', 'link', 'add', space.bridge, 'type', 'bridge')) continue;
      process.once('exit', space.#remove);
      space.#build(count);
      return space;
    }
    throw new Error('no free network for the bridge');
  }

  /** Address of this process on the bridge: what members see as the client. */
  get here(): string {
    return `10.231.${this.net}.254`;
  }

  address(member: number): string {
    return `10.231.${this.net}.${member + 1}`;
  }

  /** Prefix of a command that is to run on that host. */
  prefix(member: number): readonly string[] {
    return ['ip', 'netns', 'exec', this.#name(member)];
  }

  iptables(member: number, ...args: string[]): void {
    this.run(member, 'iptables', ...args);
  }

  /** Heals everything on that host. */
  flush(member: number): void {
    this.iptables(member, '-F');
  }

  /** Outer ends of the links to the hosts: what one receives its host has sent. */
  get links(): readonly string[] {
    return this.#names.map((_, member) => this.#outside(member));
  }

  /** A command on that host. @throws Error of it */
  run(member: number, command: string, ...args: string[]): void {
    must('ip', 'netns', 'exec', this.#name(member), command, ...args);
  }

  /** The end of the link on that host. */
  device(member: number): string {
    return `${this.id}i${member}`;
  }

  stop(): void {
    process.removeListener('exit', this.#remove);
    for (const name of this.#names) run('ip', 'netns', 'del', name);
    this.#names.length = 0;
    run('ip', 'link', 'del', this.bridge);
  }

  /** The link of this process to the hosts. */
  get bridge(): string {
    return `ul${this.net}br`;
  }

  #name(member: number): string {
    return `${this.id}m${member}`;
  }

  #outside(member: number): string {
    return `${this.id}o${member}`;
  }

  #build(count: number): void {
    must('ip', 'addr', 'add', `${this.here}/24`, 'dev', this.bridge);
    must('ip', 'link', 'set', this.bridge, 'up');
    for (let member = 0; member < count; member++) {
      const name = this.#name(member);
      const [outside, inside] = [this.#outside(member), this.device(member)];
      must('ip', 'netns', 'add', name);
      this.#names.push(name);
      must('ip', 'link', 'add', outside, 'type', 'veth', 'peer', 'name', inside);
      must('ip', 'link', 'set', outside, 'master', this.bridge, 'up');
      must('ip', 'link', 'set', inside, 'netns', name);
      const within = [...this.prefix(member).slice(1)];
      must('ip', ...within, 'ip', 'addr', 'add', `${this.address(member)}/24`, 'dev', inside);
      must('ip', ...within, 'ip', 'link', 'set', inside, 'up');
      must('ip', ...within, 'ip', 'link', 'set', 'lo', 'up');
    }
  }
}
