import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { EXIT } from '../exit-code.js';
import { Commands } from '../testing/commands.js';
import { scriptedService } from '../testing/service.js';
import { formIn, incompatibilities } from './release-form.js';
import { clockOf, localText, nextOpening, openWindow, type Window } from './release-window.js';

const FORMATS = { reads: [1, 2], writes: 2 };
const FORM = {
  ...{ what: 'Upgrade', who: 'ada', link: 'https://changes.example/42' },
  ...{ from: { version: '0.1.0', ...FORMATS }, to: { version: '0.2.0', ...FORMATS } },
  ...{ compatibility: 'mixed run of the release', rollback: 'umbra ops rollback' },
};
const OK = { ok: true, since: '', reason: 'answers', failures: { count: 0, last: null } };
const STATUS = {
  ...{ node: 'n1', ready: true, version: '0.1.0', startedAt: '', nodes: ['n1', 'n2'], parts: { etcd: OK } },
  storage: { members: [{ member: 'e:1', leader: true, quotaShare: 0.1 }], recordFormats: FORMATS },
};
const NODES = { nodes: ['n1', 'n2'].map((node) => ({ node, software: '0.1.0', draining: false })) };
const RUNTIME = { live: null, staged: null, nodes: [] };
const IN_WINDOW = Date.parse('2026-11-29T14:30:00Z');

let commands: Commands;
beforeEach(async () => {
  commands = new Commands();
  await commands.run('context set home --server http://umbra.test');
});
afterEach(() => commands.remove());

interface World {
  readonly form?: object | string;
  readonly now?: number;
  readonly status?: object;
  readonly nodes?: object;
}

async function release(more = '', { form = FORM, now = IN_WINDOW, status = STATUS, nodes = NODES }: World = {}) {
  const [file, kept] = [join(commands.home, 'form.yaml'), join(commands.home, 'kept')];
  writeFileSync(file, typeof form === 'string' ? form : stringify(form));
  const routes = { 'GET /health/status': status, 'GET /v1/nodes': nodes, 'GET /v1/runtime': RUNTIME };
  const fetch = scriptedService(routes);
  const ended = await commands.run(`ops release ${file} --forms ${kept}`.split(' ').concat(words(more)), {
    fetch,
    clock: { now: () => now, monotonic: () => 0 },
  });
  const files = existsSync(kept) ? readdirSync(kept) : [];
  return {
    ...ended,
    json: ended.json,
    files,
    asked: fetch.asked,
    read: () => readFileSync(join(kept, files[0]!), 'utf8'),
  };
}

/** As a shell divides them. */
const words = (text: string): string[] =>
  [...text.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);

describe('ops release', () => {
  it('lets a release in, keeps its form with what was found, and says how it goes on', async () => {
    const { exit, stderr, stdout, files, read } = await release();
    expect([exit, stderr]).toEqual([EXIT.done, '']);
    expect(files).toEqual(['2026-11-29T143000000Z-0.2.0.json']);
    const kept = JSON.parse(read()) as { checks: { check: string; state: string }[] };
    expect(kept).toMatchObject({ ...FORM, window: '14:00-16:00', timeZone: 'UTC', reason: null });
    expect(kept).toMatchObject({ openedAt: '2026-11-29T14:30:00.000Z', server: 'http://umbra.test' });
    expect(kept.checks).toContainEqual(expect.objectContaining({ check: 'formats of records', state: 'ok' }));
    expect(kept.checks).toContainEqual(expect.objectContaining({ check: 'quota of etcd', state: 'ok' }));
    expect(stdout).toContain('umbra ops canary 0.2.0 --prometheus URL');
    expect(stdout).toContain(`umbra ops rollback --form ${join(commands.home, 'kept', files[0]!)}`);
  });

  it('says when the next window opens, and asks nobody before', async () => {
    const { exit, stderr, files, asked } = await release('', { now: Date.parse('2026-11-29T16:00:00Z') });
    expect([exit, files, asked]).toEqual([EXIT.failed, [], []]);
    expect(stderr).toContain('no window is open (02:00-04:00, 14:00-16:00, UTC)');
    expect(stderr).toContain('the next one opens at 2026-11-30 02:00');
  });

  it('takes other windows in another zone', async () => {
    const zone = '--time-zone Europe/Berlin --window 15:00-16:00';
    expect((await release(zone)).exit).toBe(EXIT.done);
    const later = await release(zone, { now: IN_WINDOW + 3_600_000 });
    expect([later.exit, later.stderr]).toEqual([EXIT.failed, expect.stringContaining('at 2026-11-30 15:00')]);
    for (const bad of ['--window 9-10', '--window 10:00-10:00', '--window 24:00-01:00', '--time-zone Nowhere/At'])
      expect((await release(bad)).exit).toBe(EXIT.usage);
  });

  it('records why one does not wait for a window', async () => {
    const now = Date.parse('2026-11-29T09:00:00Z');
    for (const bad of ['--outside-window', '--reason late', "--outside-window --reason ' '"])
      expect((await release(bad, { now })).exit).toBe(EXIT.usage);
    const { exit, read } = await release("--outside-window --reason 'CVE in the parser'", { now });
    expect(exit).toBe(EXIT.done);
    expect(JSON.parse(read())).toMatchObject({ window: null, reason: 'CVE in the parser' });
  });

  it.each<[string, World, string]>([
    ['the preflight', { nodes: { nodes: [NODES.nodes[0]] } }, 'nodes'],
    ['another version that runs', { status: { ...STATUS, version: '0.0.9' } }, 'version that runs'],
    [
      'other formats of it',
      { status: { ...STATUS, storage: { ...STATUS.storage, recordFormats: { reads: [1, 2], writes: 1 } } } },
      'formats of records',
    ],
  ])('refuses %s, and keeps nothing', async (_, world, check) => {
    const { exit, stderr, files } = await release('', world);
    expect([exit, files]).toEqual([EXIT.failed, []]);
    expect(stderr).toContain(`not ready for a release: ${check}`);
  });

  it('skips the formats where a node does not say them', async () => {
    const { exit, json } = await release('--json', {
      status: { ...STATUS, storage: { ...STATUS.storage, recordFormats: undefined } },
    });
    expect(exit).toBe(EXIT.done);
    expect(json).toContainEqual(expect.objectContaining({ check: 'formats of records', state: 'skipped' }));
  });

  it('refuses what the version before could not read', async () => {
    const form = { ...FORM, to: { version: '0.2.0', reads: [1, 2, 3], writes: 3 } };
    const { exit, stderr, asked } = await release('', { form });
    expect([exit, asked]).toEqual([EXIT.usage, []]);
    expect(stderr).toContain('format 3, which 0.1.0 cannot read');
    expect(stderr).toContain('UMBRA_RECORD_FORMAT=2');
  });

  it('tells all that is missing or wrong, by its place', async () => {
    const form = 'what: ""\nwho: 7\nfrom: { version: 1.10, reads: [1], writes: 2 }\nto: { version: x }\nmore: 1\n';
    const { exit, stderr } = await release('', { form });
    expect(exit).toBe(EXIT.usage);
    for (const [place, problem] of [
      ['1:7', 'what is missing'],
      ['2:6', 'who must be a text'],
      ['3:18', 'from.version must be a version as a text'],
      ['3:44', 'from.writes is a format that from.reads does not list'],
      ['4:16', 'to.version must be'],
      ['4:5', 'to.reads must list'],
      ['5:7', 'more is not known'],
      ['1:1', 'rollback is missing'],
    ])
      expect(stderr).toMatch(new RegExp(`form[.]yaml:${place}: ${problem}`));
    for (const bad of ['a: [', '- a', '', `what: umk_${'a'.repeat(30)}`])
      expect((await release('', { form: bad })).exit).toBe(EXIT.usage);
  });

  it('prints a form with what the nodes say', async () => {
    const fetch = scriptedService({ 'GET /health/status': STATUS });
    const { stdout } = await commands.run('ops release --template', { fetch });
    expect(parse(stdout)).toMatchObject({ what: null, from: { version: '0.1.0', ...FORMATS }, to: { version: '' } });
    expect(() => formIn(stdout, 'form')).toThrow(/who is missing/);
    expect((await commands.run('ops release', { fetch })).exit).toBe(EXIT.usage);
  });
});

describe('incompatibilities', () => {
  const between = (from: string, to: string) =>
    incompatibilities({
      ...FORM,
      noLongerStored: [],
      from: { version: from, ...FORMATS },
      to: { version: to, ...FORMATS },
    });

  it.each([
    ['0.1.0', '0.1.1'],
    ['0.1.0', '0.2.0'],
    ['0.1.7', '0.2.3'],
    ['1.9.0', '2.0.0'],
    ['1.9', '1.10'],
    ['1.0.0-rc.1', '1.0.0'],
  ])('there are none between %s and %s', (from, to) => expect(between(from, to)).toEqual([]));

  it.each([
    ['0.1.0', '0.3.0', 'not the version after'],
    ['1.0.0', '3.0.0', 'not the version after'],
    ['0.2.0', '0.1.9', 'older'],
    ['2.0.0', '1.9.9', 'older'],
    ['0.1.0', '0.1.0', 'both'],
  ])('there are some between %s and %s', (from, to, said) =>
    expect(between(from, to)).toEqual([expect.stringContaining(said)]),
  );

  it('a format may be dropped when no record has it any more', () => {
    const form = { ...FORM, to: { version: '0.2.0', reads: [2], writes: 2 } };
    expect(incompatibilities({ ...form, noLongerStored: [] })).toEqual([expect.stringContaining('format 1')]);
    expect(incompatibilities({ ...form, noLongerStored: [1] })).toEqual([]);
  });
});

describe('windows', () => {
  const NIGHT: readonly Window[] = [{ from: 22 * 60, to: 2 * 60 }];

  it.each([
    [22 * 60, true],
    [0, true],
    [119, true],
    [120, false],
    [21 * 60 + 59, false],
  ])('may go past midnight (%d)', (minute, isOpen) => expect(openWindow(NIGHT, minute) !== null).toBe(isOpen));

  it.each([
    // Clocks go from 02:00 to 03:00 on that day.
    ['2026-03-29T00:10:00+01:00', '2026-03-30 02:15'],
    ['2026-10-25T00:10:00+02:00', '2026-10-25 02:15'],
    ['2026-06-01T02:30:30+02:00', '2026-06-02 02:15'],
  ])('open by the clock of their zone, after %s at %s', (now, next) => {
    const clock = clockOf('Europe/Berlin');
    const windows = [{ from: 135, to: 150 }];
    expect(localText(nextOpening(windows, clock, Date.parse(now)), 'Europe/Berlin')).toBe(next);
  });
});
