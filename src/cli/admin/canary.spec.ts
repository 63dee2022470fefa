import { EXIT } from '../exit-code.js';
import { Commands } from '../testing/commands.js';
import { scriptedService } from '../testing/service.js';
import { judge, type Limits, type Told } from './canary.js';

const LIMITS: Limits = { requests: 1_000, errors: 2, latency: 1.5, window: 600 };
const GOOD: Told = { requests: 5_000, failed: 5, p99: 0.04, age: 900 };

describe('judge', () => {
  it.each<[string, Partial<Told>, Partial<Told>, string, readonly string[]]>([
    ['passes what is as good', {}, {}, 'pass', []],
    ['passes what fails within the objective, where the others fail never', { failed: 5 }, { failed: 0 }, 'pass', []],
    ['fails what fails beyond it', { failed: 6 }, { failed: 0 }, 'fail', ['failed requests']],
    ['passes twice the share of the others', { failed: 100 }, { failed: 50 }, 'pass', []],
    ['fails more than that', { failed: 101 }, { failed: 50 }, 'fail', ['failed requests']],
    ['passes half as slow again', { p99: 0.06 }, {}, 'pass', []],
    ['fails what is slower', { p99: 0.0601 }, {}, 'fail', ['P99']],
    ['fails both', { failed: 500, p99: 1 }, {}, 'fail', ['failed requests', 'P99']],
    ['needs requests of it', { requests: 999, failed: 999, p99: 9 }, {}, 'not enough data', ['requests']],
    ['needs requests of the others', {}, { requests: 0, failed: 0, p99: null }, 'not enough data', ['requests']],
    ['needs nodes that have run for the window', { age: 599 }, {}, 'not enough data', ['runs for']],
    ['and so for the others, one of which may have been it', {}, { age: 10 }, 'not enough data', ['runs for']],
    ['needs times', { p99: null }, {}, 'not enough data', []],
  ])('%s', (_, canary, rest, verdict, bad) => {
    const found = judge({ ...GOOD, ...canary }, { ...GOOD, ...rest }, LIMITS);
    expect(found.verdict).toBe(verdict);
    const wrong = found.lines.filter(({ state }) => state === (verdict === 'fail' ? 'failed' : 'too little'));
    expect(wrong.map(({ check }) => check)).toEqual(expect.arrayContaining([...bad]));
    if (verdict === 'pass') expect(wrong).toEqual([]);
  });
});

describe('ops canary', () => {
  const commands = new Commands();
  afterAll(() => commands.remove());
  const VERSIONS = { '0.1.0': 2, '0.2.0': 1 };

  /** @param mine what the version `0.2.0` tells */
  function canary(line: string, mine: Partial<Told> = {}, versions: Readonly<Record<string, number>> = VERSIONS) {
    const asked: string[] = [];
    const fetch = Object.assign((url: unknown) => {
      const query = new URL(String(url)).searchParams.get('query')!;
      asked.push(query);
      return Promise.resolve(new Response(JSON.stringify({ data: { result: answer(query) } })));
    }, scriptedService({}));
    const answer = (query: string): object[] => {
      if (query.startsWith('count by'))
        return Object.entries(versions).map(([version, nodes]) => ({ metric: { version }, value: [0, `${nodes}`] }));
      const told = { ...GOOD, ...(query.includes('version="0.2.0"') ? mine : {}) };
      const value = [
        ['outcome', told.failed],
        ['histogram_quantile', told.p99],
        ['time()', told.age],
        ['umbra_requests_total', told.requests],
      ].find(([part]) => query.includes(part as string))![1];
      return value === null ? [] : [{ metric: {}, value: [0, String(value)] }];
    };
    const ended = commands.run(`ops canary --prometheus http://prometheus.test${line}`, { fetch: fetch as never });
    return ended.then((each) => ({ ...each, asked, json: each.json }));
  }

  it('passes, with figures and limits', async () => {
    const { exit, json, stdout } = await canary(' --json');
    expect(exit).toBe(EXIT.done);
    expect(json).toContainEqual({
      ...{ check: 'P99', state: 'ok', canary: '40.0 ms', rest: '40.0 ms' },
      limit: '60.0 ms at most (1.5 times)',
    });
    expect(stdout).toContain('{"verdict":"pass","version":"0.2.0"}');
  });

  it('fails, and names what is bad', async () => {
    const { exit, stderr, json } = await canary(' --json', { p99: 1, failed: 4_000 });
    expect([exit, json.at(-1)]).toEqual([EXIT.failed, { verdict: 'fail', version: '0.2.0' }]);
    expect(stderr).toContain('version 0.2.0 fails: failed requests, P99');
  });

  it('does not judge without data, and says so by its exit code', async () => {
    const { exit, stderr } = await canary('', { requests: 3 });
    expect([exit, stderr]).toEqual([
      EXIT.undecided,
      expect.stringMatching(/not enough data to judge version 0[.]2[.]0: requests\n/),
    ]);
  });

  it.each([
    [{ '0.1.0': 1, '0.2.0': 1 }, '0.1.0 on 1, 0.2.0 on 1'],
    [{ '0.1.0': 2 }, '0.1.0 on 2'],
    [{}, 'no node'],
  ])('asks for the version where %j run', async (versions, seen) => {
    const { exit, stderr } = await canary('', {}, versions as never);
    expect([exit, stderr]).toEqual([EXIT.usage, expect.stringContaining(seen)]);
    expect((await canary(' 0.2.0', {}, versions as never)).exit).toBe(EXIT.done);
  });

  it('asks within the window and the job, and takes no other names than plain ones', async () => {
    const { asked } = await canary(' --window 5m --job edge --errors 3 --latency 2.5 --requests 10');
    for (const query of asked.slice(1)) expect(query).toContain('job="edge"');
    expect(asked.filter((query) => query.includes('[300s]'))).toHaveLength(6);
    for (const bad of [' 0.2.0"}', ' --job a"', ' --errors 0.5', ' --latency x', ' --requests 0'])
      expect((await canary(bad)).exit).toBe(EXIT.usage);
  });
});
