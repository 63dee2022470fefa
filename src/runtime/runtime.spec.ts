import 'reflect-metadata';
import { MemoryClusterKeys } from '../store/memory/memory-cluster-keys.js';
import { createLogger, type LogLevel } from '../telemetry/logger.js';
import { NodeMetrics } from '../telemetry/node-metrics.js';
import { NO_SAMPLING, Sampler, type SamplingRules } from '../telemetry/sampling.js';
import { SettableClock } from '../../test/harness/clock.js';
import { until } from '../../test/harness/until.js';
import { documentOf } from './runtime-document.js';
import { RuntimeFollower } from './runtime-follower.js';
import { encodeRecord, readWord, type NodeWord } from './runtime-record.js';
import { RuntimeSettings } from './runtime-settings.js';
import { isOpen, nextVersion, obstacles, pendingIn, stateOf, type RuntimeState } from './runtime-state.js';
import { RuntimeSwitch } from './runtime-switch.js';

const SAMPLING: SamplingRules = { rules: [{ door: 'mqtt', rate: 9 }], failed: true, slowMs: null, maxPerSecond: 7 };

describe('a document', () => {
  it.each([
    [{}, {}],
    [{ logLevel: 'debug' }, { logLevel: 'debug' }],
    [{ logLevel: null, flags: { bulk: null } }, { flags: {} }],
    [{ flags: { bulk: false } }, { flags: { bulk: false } }],
    [{ sampling: SAMPLING, logLevel: null }, { sampling: SAMPLING }],
  ])('%j is taken', (value, document) => expect(documentOf(value)).toEqual(document));

  it.each([
    [null, 'the document must be an object'],
    [[], 'the document must be an object'],
    ['debug', 'the document must be an object'],
    [{ loglevel: 'debug' }, 'loglevel is unknown; remove it'],
    [{ logLevel: 'loud' }, 'logLevel must be one of fatal, error, warn, info, debug, trace, silent'],
    [{ logLevel: ['debug'] }, 'logLevel must be one of'],
    [{ flags: true }, 'flags must be an object with members of bulk'],
    [{ flags: [] }, 'flags must be an object with members of bulk'],
    [{ flags: { bulk: 'no' } }, 'flags.bulk must be true or false'],
    [{ flags: { blk: true } }, 'flags.blk is unknown; remove it'],
    [{ logLevel: 1, flags: { x: 1 } }, 'logLevel must be one of'],
    [{ sampling: 100 }, 'sampling must be an object with rules, failed, slowMs, maxPerSecond'],
    [{ sampling: [] }, 'sampling must be an object'],
    [
      { sampling: { ...SAMPLING, rules: [{ rate: 10_001 }] } },
      'sampling.rules[0]: rate must be a whole number from 0 to',
    ],
    [{ sampling: { ...SAMPLING, rules: [{ rte: 1 }] } }, 'sampling.rules[0] has no member "rte"'],
    [{ sampling: { ...SAMPLING, slow: 1 } }, 'sampling has no member "slow"'],
    [
      JSON.parse(`{"sampling": {"rules": [{"__proto__": {}, "rate": 1}], "failed": true}}`),
      'has no member "__proto__"',
    ],
    [{ logLevel: 1, flags: { x: 1 } }, 'flags.x is unknown; remove it'],
    [JSON.parse('{"__proto__": {"bulk": true}}'), '__proto__ is unknown; remove it'],
    [JSON.parse('{"flags": {"constructor": 1}}'), 'flags.constructor is unknown; remove it'],
    [JSON.parse(`{"sampling": ${'['.repeat(50_000)}${']'.repeat(50_000)}}`), 'more than 10 levels'],
    [JSON.parse(`{"flags": ${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}`), 'more than 10 levels'],
    [{ toString: 1 }, 'toString is unknown; remove it'],
    [{ [`x${'y'.repeat(20_000)}`]: 1 }, 'at most 16384 are allowed'],
  ])('%#: is refused', (value, fault) => expect(() => documentOf(value)).toThrow(fault));
});

const record = (version: number, document: object = {}): string =>
  encodeRecord({
    ...{ version, document, stagedBy: 'ada', stagedAt: '2026-11-29T00:00:00.000Z' },
    ...{ restores: null, promotedBy: null, promotedAt: null },
  });
const word = (staged: NodeWord['staged']): string =>
  JSON.stringify({ software: '1', staged, live: null, inForce: null } satisfies NodeWord);
const stored = (values: Readonly<Record<string, string>>, names: readonly string[] = []): RuntimeState =>
  stateOf(
    new Map(Object.entries(values).map(([key, value], revision) => [key, { value, revision, lease: null }])),
    names,
  );

describe('the state of the switch', () => {
  it.each([
    ['nothing', {}, null, 1],
    ['a staged one', { staged: record(1) }, 1, 2],
    ['a promoted one', { live: record(3), staged: record(3) }, null, 4],
    ['a newer one', { live: record(3), staged: record(4) }, 4, 5],
    ['one that was kept', { live: record(3), 'kept/9': record(9) }, null, 10],
    ['what nobody can read', { live: 'x', staged: '{"version": 4}' }, 4, 5],
  ])('knows what waits and which version is next: %s', (_, values, waiting, next) => {
    const state = stored(values);
    expect([pendingIn(state)?.version ?? null, nextVersion(state)]).toEqual([waiting, next]);
  });

  it.each<[string, Record<string, string>, string[], boolean, string[]]>([
    ['nobody', {}, [], false, []],
    ['one that takes it', { 'nodes/a': word({ version: 4, fault: null }) }, ['a'], false, []],
    [
      'one that has seen an earlier one',
      { 'nodes/a': word({ version: 3, fault: null }) },
      ['a'],
      true,
      ['has not looked'],
    ],
    ['one that has seen none', { 'nodes/a': word(null) }, [], true, ['has not looked']],
    ['one that says nothing', {}, ['b'], true, ['node b says nothing of it: it starts or ends just now']],
    ['one that says what nobody can read', { 'nodes/a': '!' }, ['a'], true, ['node a says nothing of it']],
    [
      'several',
      { 'nodes/a': word(null), 'nodes/b': word({ version: 4, fault: 'too new' }) },
      [],
      true,
      ['node b refuses it: too new', 'node a has not looked at it yet'],
    ],
  ])('knows who is in the way: %s', (_, values, names, open, found) => {
    const state = stored({ staged: record(4), ...values }, names);
    expect(isOpen(state, 4)).toBe(open);
    expect(obstacles(state, 4)).toEqual(found.map((each) => expect.stringContaining(each)));
  });

  it('reads words of any form', () => {
    for (const text of ['', '[]', 'null', '7']) expect(readWord(text)).toBeNull();
    expect(readWord('{"staged": {"version": "4"}, "live": 3, "inForce": -1}')).toEqual({
      ...{ software: 'unknown', staged: null, live: null, inForce: null },
    });
  });
});

/** Milliseconds that both nodes need for less. */
const WAIT_MS = 500;

describe('two nodes', () => {
  let keys: MemoryClusterKeys;
  let runtime: RuntimeSwitch;
  let nodes: ReturnType<typeof nodeOf>[];
  beforeEach(async () => {
    keys = new MemoryClusterKeys();
    runtime = new RuntimeSwitch(keys, 'a', new SettableClock(), WAIT_MS);
    nodes = ['a', 'b'].map(nodeOf);
    await until('both say something', async () => (await runtime.state()).said.size === 2);
  });
  afterEach(() => Promise.all(nodes.map(({ follower }) => follower.close())));

  function nodeOf(node: string) {
    const lines: { msg: string }[] = [];
    const write = (line: string) => void lines.push(JSON.parse(line) as { msg: string });
    const metrics = new NodeMetrics();
    const logger = createLogger({ logLevel: 'info', nodeId: node }, { write });
    const sampler = new Sampler();
    const settings = new RuntimeSettings(logger, sampler);
    const follower = new RuntimeFollower({ keys, node, settings, metrics, logger });
    follower.start();
    const rejected = (): number[] => (metrics.runtimeRejected.samples() ?? []).map(({ value }) => value);
    const versions = (): number[] => (metrics.runtimeVersion.samples() ?? []).map(({ value }) => value);
    return { follower, logger, settings, sampler, lines, rejected, versions };
  }
  const levels = (): string[] => nodes.map(({ logger }) => logger.level);
  const stage = async (document: object) => runtime.stage(document, await runtime.state(), 'ada');
  /** As another version of the service would. */
  const put = (key: string, value: string) => keys.commit({ guards: [], puts: [{ key: `runtime/${key}`, value }] });

  it('follow what both have taken, and only when it is promoted', async () => {
    const staged = await stage({ logLevel: 'debug', flags: { bulk: false } });
    expect([...staged.said.values()].map((each) => each.word.staged)).toEqual([
      { version: 1, fault: null },
      { version: 1, fault: null },
    ]);
    expect([levels(), nodes[0]!.settings.isOn('bulk')]).toEqual([['info', 'info'], true]);
    const promoted = await runtime.promote({ by: 'bob' });
    expect([levels(), nodes.map(({ settings }) => settings.isOn('bulk'))]).toEqual([
      ['debug', 'debug'],
      [false, false],
    ]);
    expect(promoted.live?.record).toMatchObject({ version: 1, stagedBy: 'ada', promotedBy: 'bob' });
    expect([...promoted.said.values()].map((each) => each.word.inForce)).toEqual([1, 1]);
    expect(nodes.map(({ versions }) => versions())).toEqual([
      [1, 1],
      [1, 1],
    ]);
    await expect(runtime.promote({ by: 'bob' })).rejects.toThrow('nothing is staged');
  });

  it('stay as they are when a staged document is bad, and say why', async () => {
    await stage({ logLevel: 'debug' });
    await runtime.promote({ by: 'ada' });
    await put('staged', record(2, { logLevel: 'loud' }).replace('"restores"', '"more":1,"restores"'));
    await until('both have counted it', () => nodes.every(({ rejected }) => rejected()[1] === 1));
    await expect(runtime.promote({ by: 'ada' })).rejects.toThrow(
      'version 2 cannot be promoted: node a refuses it: logLevel must be one of',
    );
    expect([levels(), (await runtime.state()).live?.version]).toEqual([['debug', 'debug'], 1]);
    expect(nodes[1]!.lines.at(-1)!.msg).toBe('a staged runtime configuration is refused');
  });

  it('keep what they follow when the live document cannot be read, and take the next one', async () => {
    await stage({ logLevel: 'debug' });
    await runtime.promote({ by: 'ada' });
    for (const text of ['{', '{"format": 2, "version": 2}', record(2, { logLevel: 'x' })]) {
      const before = nodes[0]!.rejected()[0]!;
      await put('live', text);
      await until('it is counted', () => nodes[0]!.rejected()[0] === before + 1);
      expect(levels()).toEqual(['debug', 'debug']);
    }
    expect(nodes[0]!.lines.at(-1)!.msg).toBe('the live runtime configuration cannot be read; the one before goes on');
    expect(nodes[0]!.versions()[0]).toBe(1);
    await put('live', record(3, { logLevel: 'warn' }));
    await until('it is followed', () => levels().join() === 'warn,warn');
    await keys.commit({ guards: [], deletes: ['runtime/live'] });
    await until('the environment is followed', () => levels().join() === 'info,info');
  });

  it('sample as the live document says, and as the environment without it', async () => {
    await stage({ sampling: SAMPLING });
    await runtime.promote({ by: 'ada' });
    expect(nodes.map(({ sampler }) => sampler.rules)).toEqual([SAMPLING, SAMPLING]);
    await stage({});
    await runtime.promote({ by: 'ada' });
    expect(nodes.map(({ sampler }) => sampler.rules)).toEqual([NO_SAMPLING, NO_SAMPLING]);
  });

  it('hold a promotion up while one of them says nothing, or refuses', async () => {
    await keys.commit({ guards: [], puts: [{ key: 'nodes/old', value: '{}' }] });
    await stage({ logLevel: 'debug' });
    await expect(runtime.promote({ by: 'ada' })).rejects.toThrow('node old says nothing of it');
    await put('nodes/old', word({ version: 1, fault: 'sampling is unknown' }));
    await expect(runtime.promote({ by: 'ada' })).rejects.toThrow('node old refuses it: sampling is unknown');
    expect(levels()).toEqual(['info', 'info']);
    await keys.commit({ guards: [], deletes: ['nodes/old', 'runtime/nodes/old'] });
    await runtime.promote({ by: 'ada' });
    expect(levels()).toEqual(['debug', 'debug']);
  });

  it('go back to any of the last ten', async () => {
    for (const level of ['debug', 'warn', 'error', 'fatal', 'trace', 'info'] satisfies LogLevel[]) {
      for (const bulk of [true, false]) {
        await stage({ logLevel: level, flags: { bulk } });
        await runtime.promote({ by: 'ada' });
      }
    }
    const kept = (await runtime.state()).kept;
    expect(kept.map(({ version }) => version)).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
    const back = await runtime.rollback('bob');
    expect(back.live?.record).toMatchObject({ version: 13, restores: 11, document: { flags: { bulk: true } } });
    expect((await runtime.rollback('bob', 4)).live?.record).toMatchObject({
      version: 14,
      document: { logLevel: 'warn' },
    });
    expect(levels()).toEqual(['warn', 'warn']);
    await expect(runtime.rollback('bob', 1)).rejects.toThrow('There is no kept version 1');
  });

  it('say how to go back from the first document that was live', async () => {
    await stage({ logLevel: 'debug' });
    await runtime.promote({ by: 'ada' });
    await expect(runtime.rollback('bob')).rejects.toThrow('stage {} and promote it');
  });

  it('let one of two who stage at once win', async () => {
    const before = await runtime.state();
    const both = await Promise.allSettled(
      ['debug', 'warn'].map((logLevel) => runtime.stage({ logLevel } as never, before, 'ada')),
    );
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const { staged } = await runtime.state();
    await stage({ logLevel: 'error' });
    await expect(runtime.promote({ by: 'ada', expected: staged!.revision })).rejects.toThrow('has been changed since');
  });

  it('do not follow what somebody stages while another one goes back', async () => {
    for (const logLevel of ['warn', 'debug']) {
      await stage({ logLevel });
      await runtime.promote({ by: 'ada' });
    }
    // A third node that looks late.
    await keys.commit({ guards: [], puts: [{ key: 'nodes/late', value: '{}' }] });
    const stagedIs = (version: number) =>
      until(`version ${version} is staged`, async () => (await runtime.state()).staged?.version === version);
    const back = runtime.rollback('ada').catch((error: unknown) => error);
    await stagedIs(3);
    const other = stage({ flags: { bulk: false } });
    await stagedIs(4);
    await put('nodes/late', word({ version: 4, fault: null }));
    expect(await back).toMatchObject({ message: expect.stringContaining('has been changed since') });
    expect((await other).staged).toMatchObject({ version: 4, record: { document: { flags: { bulk: false } } } });
    const { live } = await runtime.state();
    expect([live?.version, levels(), nodes[0]!.settings.isOn('bulk')]).toEqual([2, ['debug', 'debug'], true]);
  });
});
