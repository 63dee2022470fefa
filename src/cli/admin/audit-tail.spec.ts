import { scriptedFetch, type ScriptedFetch } from '../../sdk/testing/index.js';
import { EXIT } from '../exit-code.js';
import { Commands } from '../testing/commands.js';

const START = Date.parse('2026-11-29T00:00:00.000Z');
const eventOf = (n: number, more = {}) => ({
  ...{ time: new Date(START + n * 1_000).toISOString(), action: 'policy:update', target: `/v1/policies/${n}` },
  ...{ actor: { id: 'ada', tenant: 'default', credential: null }, tenant: 'default', address: '192.0.2.1' },
  ...{ outcome: 'done', code: null, requestId: null, clientId: null, count: 1, ...more },
});

/** The audit of nodes, one of which answers. A failure is answered once. */
class Audit {
  readonly events: object[] = [];
  readonly failures: (Response | Error)[] = [];
  run = 'a';
  node = 'umbra-1';
  /** What happens at each request, before it is answered. */
  during = (_index: number): void => undefined;

  readonly fetch: ScriptedFetch = scriptedFetch(({ url }, index) => {
    this.during(index);
    const failure = this.failures.shift();
    if (failure instanceof Error) throw failure;
    if (failure) return failure;
    const query = new URL(url).searchParams;
    const [run, at] = (query.get('after') ?? `${this.run}.0`).split('.');
    if (run !== this.run) return refusal(410, 'cursor-gone');
    const all = query.get('action') === 'none' ? [] : this.events.slice(Number(at));
    const events = all.slice(0, Number(query.get('limit')));
    const next = `${this.run}.${all.length > events.length ? Number(at) + events.length : this.events.length}`;
    const headers = { date: new Date(START).toUTCString() };
    return new Response(JSON.stringify({ events, next, node: this.node }), { headers });
  });
}

const refusal = (status: number, type: string): Response =>
  new Response(JSON.stringify({ type: `urn:umbra:problem:${type}`, status, detail: `${type}.` }), { status });

let commands: Commands;
let audit: Audit;
beforeEach(async () => {
  commands = new Commands();
  audit = new Audit();
  await commands.run('context set home --server http://umbra.test');
});
afterEach(() => commands.remove());

const tail = (more: string, given = {}) =>
  commands.run(`audit tail${more && ' '}${more}`, { fetch: audit.fetch, ...given });
const targets = ({ json }: Awaited<ReturnType<typeof tail>>) =>
  json.map((event) => Number((event as { target: string }).target.split('/').at(-1)));

it('prints what happens from now on', async () => {
  audit.events.push(eventOf(0), eventOf(1));
  audit.during = (index) =>
    void (
      index === 2 &&
      audit.events.push(eventOf(2), eventOf(3, { outcome: 'refused', code: 'AUTH_201', actor: null, count: 7 }))
    );
  const { exit, stdout } = await tail('--count 2');
  expect([exit, stdout.split('\n')]).toEqual([
    EXIT.done,
    [
      '2026-11-29T00:00:02.000Z  done     policy:update  ada  /v1/policies/2  192.0.2.1',
      '2026-11-29T00:00:03.000Z  refused  AUTH_201  policy:update  (unknown)  /v1/policies/3  192.0.2.1  7 times',
      '',
    ],
  ]);
});

it.each([
  ['a\nb', 'a\\u000ab'],
  ['a\tb', 'a\\u0009b'],
  ['a\r\x1b[2Kb', 'a\\u000d\\u001b[2Kb'],
  ['a\u2028b\u202e', 'a\\u2028b\\u202e'],
])('prints an event of the client %j on one line', async (id, shown) => {
  audit.during = (index) => void (index === 1 && audit.events.push(eventOf(0, { target: `client/${id}` })));
  const { stdout } = await tail('--count 1');
  expect(stdout).toBe(`2026-11-29T00:00:00.000Z  done     policy:update  ada  client/${shown}  192.0.2.1\n`);
});

it.each([
  ['--no-follow', 0],
  ['--no-follow --since 2026-11-29T00:00:05Z', 5],
  ['--count 245 --since 2026-11-29T00:00:05Z', 5],
  ['--no-follow --since 3000d', 0],
])('%s begins there, and takes all pages', async (line, first) => {
  for (let n = 0; n < 250; n++) audit.events.push(eventOf(n));
  const ended = await tail(`${line} --json`);
  expect(targets(ended)).toEqual(Array.from({ length: 250 - first }, (_, n) => n + first));
  expect(ended.json[0]).toMatchObject({ node: 'umbra-1', action: 'policy:update' });
});

it('lets the service filter', async () => {
  await tail('--no-follow --actor ada --action key:create --target /v1/ --outcome failed');
  expect(Object.fromEntries(new URL(audit.fetch.sent[1]!.url).searchParams)).toEqual({
    ...{ limit: '100', actor: 'ada', action: 'key:create', target: '/v1/', outcome: 'failed' },
  });
});

it('goes on after a cut connection, and after a node that was not ready', async () => {
  audit.during = (index) => {
    if (index === 1) audit.events.push(eventOf(1));
    // All attempts of one call, and one of the next.
    if (index === 2) for (let n = 0; n < 5; n++) audit.failures.push(new TypeError('fetch failed'));
    if (index === 7) audit.events.push(eventOf(2));
  };
  const ended = await tail('--count 2 --json');
  expect([ended.exit, targets(ended)]).toEqual([EXIT.done, [1, 2]]);
  expect(ended.stderr.split('\n')).toEqual([
    expect.stringMatching(/^\{"warning":\{"code":"unreachable".*trying again/),
    '',
  ]);
});

it('says that events may be missing when the node has been restarted, and repeats none', async () => {
  audit.during = (index) => {
    if (index === 1) audit.events.push(eventOf(1), eventOf(2));
    if (index === 2) [audit.run, audit.events[1]] = ['b', eventOf(2)];
    if (index === 3) audit.events.push(eventOf(2, { target: '/v1/policies/20' }), eventOf(3));
  };
  const ended = await tail('--count 4 --json');
  expect(targets(ended)).toEqual([1, 2, 20, 3]);
  expect(ended.stderr).toContain('cursor-gone.; events may be missing');
});

it('takes of another node what is new', async () => {
  audit.during = (index) => {
    if (index === 1) audit.events.push(eventOf(5));
    if (index === 2) {
      [audit.run, audit.node] = ['b', 'umbra-2'];
      audit.events.splice(0, 1, eventOf(-9), eventOf(1));
    }
  };
  expect(targets(await tail('--count 2 --json'))).toEqual([5, 1]);
});

it.each([
  [() => refusal(403, 'not-allowed'), EXIT.notAllowed],
  [() => refusal(401, 'credentials-revoked'), EXIT.notSignedIn],
])('ends when it may not look any more', async (answer, exit) => {
  audit.during = (index) => void (index === 3 && audit.failures.push(answer()));
  expect(await tail('')).toMatchObject({ exit });
});

it('ends with 7 if the service is away at the start, and with 130 at Ctrl-C', async () => {
  audit.failures.push(...Array.from({ length: 4 }, () => new TypeError('fetch failed')));
  expect(await tail('--timeout 0.2')).toMatchObject({ exit: EXIT.unreachable });
  const control = new AbortController();
  audit.failures.length = 0;
  audit.during = (index) => void (index > 6 && control.abort());
  expect(await tail('', { signal: control.signal })).toMatchObject({ exit: 130, stderr: '' });
});

it.each(['--since yesterday', '--since 5', '--count 0', '--outcome good', '--since 2026-99-01'])(
  '%s is wrong',
  async (line) => {
    expect([(await tail(line)).exit, audit.fetch.sent.length]).toEqual([EXIT.usage, 0]);
  },
);
