import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execute } from '../execute.js';
import { EXIT } from '../exit-code.js';
import { Commands, type Given } from '../testing/commands.js';
import { problem, scriptedService } from '../testing/service.js';
import { lookAt } from './node-versions.js';

let commands: Commands;
beforeEach(async () => {
  commands = new Commands();
  await commands.run('context set home --server http://umbra.test');
});
afterEach(() => commands.remove());

const PROMETHEUS = ' --prometheus http://prometheus.test';
/** Its images, generations and replicas. */
const ROLLED_OUT = 'umbra:0.2.0 side:1,4,4,2,2,2,2';

interface World {
  /** Versions of the nodes n1 and n2, before the rollback and, look by look, after it; the last one stays. */
  readonly before?: readonly (readonly (string | null)[] | 'away' | '500' | '401')[];
  readonly after?: readonly (readonly (string | null)[] | 'away' | '500' | '401')[];
  /** Milliseconds, look by look; the last one stays. */
  readonly p99?: readonly (number | null | 'away')[];
  /** Nodes that Prometheus sees as not ready. */
  readonly notReady?: readonly string[];
  /** What Prometheus answers instead. */
  readonly trouble?: object;
  /** What `kubectl get` says, and a script that any other kubectl is. */
  readonly workload?: string;
  readonly kubectl?: string;
  readonly refused?: number;
}

const NEW = ['0.2.0', '0.2.0'];
const OLD = ['0.1.0', '0.1.0'];

/** Runs the command with a kubectl on the path that writes down what it was asked. */
function rollback(line: string, world: World = {}, more: Given = {}) {
  const { before = [NEW], after = [OLD], notReady = [], kubectl = 'echo rolled back', refused } = world;
  const [folder, log] = [commands.home, join(commands.home, 'log')];
  const script = `#!/bin/sh\necho "\${0##*/}" "$@" >> ${log}\n`;
  const put = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), 0o755);
  };
  const got = `[ "$1" = get ] && { echo W: a warning >&2; echo '${world.workload ?? ROLLED_OUT}'; exit; }\n`;
  put('kubectl', `${script}${got}${kubectl}\n`);
  put('back.sh', `${script}${kubectl}\n`);
  const all = (): string[] => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []);
  const asked = (): string[] => all().filter((each) => !each.startsWith('kubectl get'));
  const hasRun = () => asked().length > 0 || line.includes('by-hand');
  const [queues, times] = [{ before: [...before], after: [...after] }, [...(world.p99 ?? [20])]];
  const next = <T>(queue: T[]): T => (queue.length > 1 ? queue.shift()! : queue[0]!);
  let now = 0;
  let versions: readonly (string | null)[] = [];
  const service = scriptedService({
    'GET /v1/nodes': () => {
      if (refused !== undefined) return problem(refused, 'not-allowed') as never;
      const found = next(hasRun() && queues.before.length <= 1 ? queues.after : queues.before);
      if (found === 'away') throw new TypeError('fetch failed');
      if (typeof found === 'string') return problem(Number(found), 'failed') as never;
      versions = found;
      return { nodes: found.map((software, at) => ({ node: `n${at + 1}`, software, draining: false })) };
    },
    'GET /health/status': { node: 'n1', ready: true },
  });
  const prometheus = (query: string): Response => {
    const ready = versions.map((version, at) => ({
      metric: { node: `n${at + 1}`, version },
      value: [0, notReady.includes(`n${at + 1}`) ? '0' : '1'],
    }));
    if (query.includes('umbra_ready') && world.trouble) return new Response(JSON.stringify(world.trouble));
    if (query.includes('umbra_ready')) return new Response(JSON.stringify({ data: { result: ready } }));
    const figure = next(times);
    if (figure === 'away') throw new TypeError('connection refused');
    const result = figure === null ? [] : [{ metric: {}, value: [0, String(figure / 1000)] }];
    return new Response(JSON.stringify({ data: { result } }));
  };
  const fetch = Object.assign(async (url: Parameters<typeof service>[0], init?: Parameters<typeof service>[1]) => {
    const { host, searchParams } = new URL(String(url));
    return host === 'prometheus.test' ? prometheus(searchParams.get('query')!) : service(url, init!);
  }, service);
  const env = { PATH: `${folder}:/usr/bin:/bin` };
  const { signal } = new AbortController();
  const ended = commands.run(`ops rollback --yes ${line}`.replaceAll('HOME', folder), {
    fetch,
    // As a real clock, it tells no whole milliseconds.
    clock: { now: () => now, monotonic: () => (now += 0.001) },
    pause: (ms) => Promise.resolve(void (now += ms)),
    execute: (program, args, limitMs) => {
      // A program that is to hang need not hang for minutes.
      const time = kubectl.includes('sleep') ? 300 : limitMs;
      return execute(program, args, { limitMs: time, env, signal }).finally(() => void (now += 2_000));
    },
    ...more,
  });
  return ended.then((each) => ({
    ...each,
    json: each.json as { step: string }[],
    asked: asked(),
    passed: () => Math.round(now),
  }));
}

const KUBECTL = '--to 0.1.0 --workload deployment/umbra';

describe('ops rollback', () => {
  it('has kubectl undo the rollout, waits for the nodes, and watches their times for five minutes', async () => {
    const after = ['away', ['0.2.0', '0.1.0'], ['0.2.0', null], ['0.1.0'], OLD] as const;
    const { exit, stderr, json, asked, passed } = await rollback(`${KUBECTL}${PROMETHEUS} --json`, { after });
    expect([exit, stderr]).toEqual([EXIT.done, '']);
    expect(asked).toEqual([
      'kubectl rollout undo deployment/umbra --namespace=umbra',
      expect.stringMatching(/^kubectl rollout status deployment\/umbra --namespace=umbra --timeout=17\ds$/),
    ]);
    expect(json.filter(({ step }) => step === 'waiting')).toEqual([
      { step: 'waiting', missing: expect.stringContaining('does not answer'), seconds: 6 },
      { step: 'waiting', missing: 'n1 runs 0.2.0', seconds: 7 },
      { step: 'waiting', missing: 'n1 runs 0.2.0; n2 runs a version that it does not say', seconds: 8 },
      { step: 'waiting', missing: '1 of 2 nodes live', seconds: 9 },
    ]);
    expect(json.find(({ step }) => step === 'back')).toEqual({ step: 'back', to: '0.1.0', seconds: 10 });
    expect(json.at(-1)).toEqual({ step: 'done', worstMs: 20, limitMs: 120, seconds: 300 });
    expect(passed()).toBe(310_000);
  });

  it('takes the version from the form of the release, and other names and revisions of the workload', async () => {
    const form = join(commands.home, 'form.json');
    writeFileSync(form, JSON.stringify({ openedAt: '2026-11-29T14:00:00Z', from: { version: '0.1.0' } }));
    const line = '--form HOME/form.json --workload statefulset/edge --namespace iot --revision 3 --no-watch';
    const { exit, asked } = await rollback(line);
    expect(exit).toBe(EXIT.done);
    expect(asked[0]).toBe('kubectl rollout undo statefulset/edge --namespace=iot --to-revision=3');
    writeFileSync(form, '{"from": {}}');
    expect((await rollback(line)).exit).toBe(EXIT.usage);
  });

  it('runs a program of the operator with the version, and nothing of a shell', async () => {
    const { exit, asked } = await rollback('--to 0.1.0 --command HOME/back.sh --no-watch');
    expect([exit, asked]).toEqual([EXIT.done, ['back.sh 0.1.0']]);
    const unknown = await rollback('--to 0.1.0 --command HOME/none.sh --no-watch');
    expect([unknown.exit, unknown.stderr]).toEqual([EXIT.usage, expect.stringContaining('cannot be started (ENOENT)')]);
    expect((await rollback('--to 0.1.0;ls --command HOME/back.sh --no-watch')).exit).toBe(EXIT.usage);
    for (const name of ['deployment/-n', 'deployment/a/b', 'pod/a', '--all'])
      expect((await rollback(`--to 0.1.0 --no-watch --workload ${name}`)).exit).toBe(EXIT.usage);
  });

  it('by hand only says what is to be done, and waits', async () => {
    const { exit, stdout, asked } = await rollback('--to 0.1.0 --by-hand --no-watch', { after: [NEW, NEW, OLD] });
    expect([exit, asked]).toEqual([EXIT.done, []]);
    expect(stdout).toContain('put version 0.1.0 back on each node');
    expect(stdout).toContain('all nodes that live run version 0.1.0');
  });

  it('changes nothing with --dry-run', async () => {
    const { exit, stdout, asked } = await rollback(`${KUBECTL} --no-watch --dry-run`);
    expect([exit, asked]).toEqual([EXIT.done, []]);
    expect(stdout).toContain('live: n1 (0.2.0), n2 (0.2.0)');
    expect(stdout).toContain('would kubectl rollout undo deployment/umbra --namespace=umbra');
  });

  it('asks a person before', async () => {
    const answers = { confirm: () => Promise.resolve(false) };
    const { exit, asked } = await rollback(`${KUBECTL} --no-watch`, {}, { answers });
    // --yes is given.
    expect([exit, asked.length]).toEqual([EXIT.done, 2]);
    const line = `ops rollback ${KUBECTL} --no-watch`;
    const fetch = scriptedService({ 'GET /v1/nodes': { nodes: [] }, 'GET /health/status': { node: 'n', ready: true } });
    expect((await commands.run(line, { fetch })).exit).toBe(EXIT.usage);
    expect((await commands.run(line, { fetch, answers })).exit).toBe(EXIT.failed);
  });

  it('undoes nothing where all nodes are back and the rollout is at its end: it would bring the newer one', async () => {
    const { exit, stdout, asked } = await rollback(`${KUBECTL} --no-watch`, { before: [OLD] });
    expect([exit, asked]).toEqual([EXIT.done, [expect.stringContaining('kubectl rollout status')]]);
    expect(stdout).toContain('nothing to undo');
  });

  it.each([',4,4,2,2,1,2', ',4,4,2,3,1,2', ',5,4,2,2,2,2', ',4,4,2,2,2,'])(
    'undoes a rollout that hangs, of whose pods none has come to live: %s',
    async (workload) => {
      const { exit, asked } = await rollback(`${KUBECTL} --no-watch`, { before: [OLD], workload });
      expect([exit, asked[0]]).toEqual([EXIT.done, 'kubectl rollout undo deployment/umbra --namespace=umbra']);
    },
  );

  it.each(['umbra:0.1.0', 'side:1 r.example:5000/umbra:v0.1.0@sha256:0a'])(
    'undoes nothing twice, when it is run again half-way: %s',
    async (images) => {
      const world = { before: [['0.2.0', '0.1.0']], workload: `${images},5,5,2,3,1,2` };
      const { exit, asked } = await rollback(`${KUBECTL} --no-watch`, world);
      expect([exit, asked]).toEqual([EXIT.done, [expect.stringContaining('kubectl rollout status')]]);
    },
  );

  it('goes to a revision that is named in any case, which kubectl does once', async () => {
    const world = { before: [OLD], workload: 'umbra:0.1.0,5,5,2,2,2,2' };
    const { exit, asked } = await rollback(`${KUBECTL} --revision 3 --no-watch`, world);
    expect([exit, asked[0]]).toEqual([EXIT.done, expect.stringContaining('--to-revision=3')]);
  });

  it('leaves alone what is rolled out at the version, though a node is not ready', async () => {
    const { asked } = await rollback(`${KUBECTL}${PROMETHEUS} --no-watch --within 9s`, {
      before: [OLD],
      notReady: ['n2'],
    });
    expect(asked).toEqual([expect.stringContaining('kubectl rollout status')]);
  });

  it('undoes nothing that kubectl says nothing of', async () => {
    const { exit, stderr } = await rollback(`${KUBECTL} --no-watch`, { before: [OLD], workload: 'none' });
    expect([exit, stderr]).toEqual([EXIT.failed, expect.stringContaining('has not said how deployment/umbra is')]);
  });

  it('waits while the service answers anything, and until its time is over when it answers nothing', async () => {
    const failing = ['500', '401', OLD] as const;
    expect((await rollback(`${KUBECTL} --no-watch`, { before: ['500'], after: failing })).exit).toBe(EXIT.done);
    const around = { signal: new AbortController().signal, secrets: { masked: (text: string) => text } };
    const call = ({ signal }: { signal: AbortSignal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
    const look = await lookAt({ around } as never, { call } as never, { job: 'umbra' }, 20);
    expect(look).toBe('no answer within 20 ms');
  });

  it('goes on where the service does not answer at all', async () => {
    const { exit, asked } = await rollback(`${KUBECTL} --no-watch`, { before: ['away'], after: ['away', OLD] });
    expect([exit, asked.length]).toEqual([EXIT.done, 2]);
  });

  it.each<[string, World, string, number?]>([
    ['', { after: [NEW] }, 'not back at version 0.1.0 within 20 s: n1 runs 0.2.0; n2 runs 0.2.0'],
    ['', { after: [['0.1.0']] }, '1 of 2 nodes live'],
    [' --nodes 3', {}, '2 of 3 nodes live'],
    ['', { after: ['away'] }, 'the service does not answer', EXIT.unreachable],
    [PROMETHEUS, { notReady: ['n2'] }, 'n2 is not ready'],
    [PROMETHEUS, { trouble: { status: 'error', error: 'starting' } }, 'n1 may be ready or not: Prometheus at'],
    ['', { kubectl: 'echo not found >&2; exit 1' }, 'has failed with 1: not found'],
    ['', { kubectl: 'echo begun; exec sleep 60' }, 'has not ended in time: begun'],
    ['', { refused: 403 }, '', EXIT.notAllowed],
  ])('fails with the reason%s (%#)', async (more, world, reason, code = EXIT.failed) => {
    const { exit, stderr, passed } = await rollback(`${KUBECTL} --no-watch --within 20s${more}`, world);
    expect([exit, stderr]).toEqual([code, expect.stringContaining(reason)]);
    expect(passed()).toBeLessThanOrEqual(20_000);
  });

  it.each<[string, readonly (number | null | 'away')[], boolean, string]>([
    ['', [500, 119.9], true, '119.9 ms at most'],
    ['', [20, 20, 20, null, 30], true, '30.0 ms at most'],
    ['', [20, 'away', 25], true, '25.0 ms at most'],
    ['', [120], false, 'the last look has found 120.0 ms'],
    ['', [null], false, 'the last look has found no requests'],
    ['', ['away'], false, 'has not answered'],
    [
      '',
      Array.from({ length: 40 }, (_, at) => (at % 10 === 9 ? 200 : 10)),
      false,
      'P99 was not below 120 ms for 300 s',
    ],
    [' --p99 500 --watch 1m', [499], true, 'P99 was below 500 ms for 60 s'],
  ])('watches the times%s (%#)', async (more, p99, isGood, said) => {
    const { exit, stdout, stderr } = await rollback(`${KUBECTL}${PROMETHEUS}${more}`, { p99 });
    expect([exit, stdout + stderr]).toEqual([isGood ? EXIT.done : EXIT.failed, expect.stringContaining(said)]);
  });

  it.each([
    ['--workload deployment/umbra --no-watch', '--to VERSION'],
    ['--to 0.1.0 --form x --workload deployment/umbra --no-watch', '--to VERSION'],
    ['--to 0.1.0 --no-watch', 'say how'],
    ['--to 0.1.0 --by-hand --command x --no-watch', 'say how'],
    ['--to 0.1.0 --by-hand', '--prometheus URL'],
  ])('says what is missing: %s', async (line, said) => {
    const { exit, stderr } = await rollback(line);
    expect([exit, stderr]).toEqual([EXIT.usage, expect.stringContaining(said)]);
  });
});
