import { spawnSync } from 'node:child_process';
import { scriptedFetch } from '../../sdk/testing/index.js';
import { EXIT } from '../exit-code.js';
import { Commands } from '../testing/commands.js';

let commands: Commands;
beforeEach(async () => {
  commands = new Commands();
  await commands.run('context set home --server http://umbra.test --tenant acme');
});
afterEach(() => commands.remove());

const ME = {
  tenant: 'default',
  principal: 'ada',
  thing: null,
  roles: [],
  scopes: null,
  expiresAt: new Date().toISOString(),
};

interface Service {
  readonly ready?: object;
  readonly me?: object;
  readonly status?: number;
  /** Milliseconds by which its clock differs. */
  readonly off?: number;
}

const service = ({ ready = { ready: true, version: '1', parts: {} }, me = ME, status = 200, off = 0 }: Service) =>
  scriptedFetch(({ url }) => {
    const headers = { date: new Date(Date.now() + off).toUTCString() };
    if (url.endsWith('/health/ready'))
      return new Response(JSON.stringify(ready), { status: 'ready' in ready && ready.ready ? 200 : 503, headers });
    return new Response(JSON.stringify(me), { status, headers });
  });

const states = async (given: Service) => {
  const { exit, json } = await commands.run('doctor --json', { fetch: service(given) });
  const found = json as { check: string; state: string; detail: string }[];
  return {
    exit,
    found: found.map(({ check, state }) => `${check} ${state}`),
    details: found.map(({ detail }) => detail),
  };
};

describe('doctor', () => {
  it('finds what is worth knowing', async () => {
    const { exit, found, details } = await states({ off: 120_000 });
    expect(exit).toBe(EXIT.done);
    expect(found).toEqual([
      'context ok',
      'server ok',
      'clock warning',
      'credential ok',
      'tenant warning',
      'expiry warning',
    ]);
    expect(details[2]).toMatch(/^1(19|20) s behind the server: set it$/);
  });

  it('takes a key from stdin, which can be read once', async () => {
    const fetch = service({});
    const line = 'doctor --server http://umbra.test --key-file -';
    expect(await commands.run(line, { fetch, stdin: 'umk_x' })).toMatchObject({ exit: EXIT.done });
    expect(fetch.sent[0]!.headers).toMatchObject({ authorization: 'Bearer umk_x' });
  });

  it('ends as the first failure does', async () => {
    expect(await states({ status: 401 })).toMatchObject({ exit: EXIT.notSignedIn });
    const parts = { etcd: { ok: false, reason: 'away' }, mqtt: { ok: true } };
    const { exit, found, details } = await states({ ready: { ready: false, version: '1', parts } });
    expect([exit, found.at(-1), details.at(-1)]).toEqual([EXIT.unreachable, 'server failed', 'not ready: etcd: away']);
  });
});

describe('completion', () => {
  const complete = (script: string, ...words: string[]): string => {
    const list = words.map((word) => `'${word}'`).join(' ');
    const ask = `COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _umbra; echo "\${COMPREPLY[*]}"`;
    return spawnSync('bash', ['--norc', '-c', `${script}\n${ask}`], { encoding: 'utf8' }).stdout.trim();
  };

  it('of bash knows commands, subcommands and options', async () => {
    const { stdout } = await commands.run('completion bash');
    expect(complete(stdout, 'umbra', 'wa')).toBe('watch');
    expect(complete(stdout, 'umbra', '--json', 'context', 's')).toBe('show set');
    expect(complete(stdout, 'umbra', 'context', 'set', 'home', '--ask')).toBe('--ask-key');
  });

  it('of the other shells is there', async () => {
    const zsh = (await commands.run('completion zsh')).stdout;
    expect(zsh).toBe(`autoload -U +X bashcompinit && bashcompinit\n${(await commands.run('completion bash')).stdout}`);
    // In zsh `path` is PATH, and a colon before a letter begins a modifier.
    expect(zsh).not.toMatch(/local path\b|\}?:[A-Z_]+/);
    const fish = (await commands.run('completion fish')).stdout;
    expect(fish).toContain("-n '__fish_seen_subcommand_from context' -a set");
    expect(fish).toContain("-n '__fish_seen_subcommand_from client; and __fish_seen_subcommand_from key' -a rotate");
    expect((await commands.run('completion tcsh')).exit).toBe(EXIT.usage);
  });
});
