import { createLogger, setLogLevel, type Logger } from './logger.js';
import { NestLogger } from './nest-logger.js';
import { NodeMetrics } from './node-metrics.js';

function recorder(level: 'info' | 'trace' = 'trace') {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const logger: Logger = createLogger({ logLevel: level, nodeId: 'n1' }, { write });
  return { logger, lines };
}

describe('createLogger', () => {
  it('writes one line of JSON that names the node, at its level and above', () => {
    const { logger, lines } = recorder('info');
    logger.debug('not this');
    logger.info({ thing: 'lamp' }, 'this');
    expect(lines).toEqual([expect.objectContaining({ node: 'n1', thing: 'lamp', msg: 'this', level: 30 })]);
  });

  it('counts the lines that it writes, by level, those of children too', () => {
    const metrics = new NodeMetrics();
    const logger = createLogger({ logLevel: 'info', nodeId: 'n1' }, { write: () => undefined }, metrics);
    logger.debug('off');
    logger.info('one');
    logger.child({ a: 1 }).error({ err: new Error('x') }, 'two %s', 'y');
    logger.fatal('three');
    const counts = metrics.logLines.samples() ?? [];
    expect(counts.map(({ labels, value }) => `${labels[1]} ${value}`)).toEqual([
      ...['trace 0', 'debug 0', 'info 1', 'warn 0', 'error 1', 'fatal 1'],
    ]);
  });

  it('changes its level while it runs, and that of its children', () => {
    const { logger, lines } = recorder('info');
    const child = logger.child({ sink: 's' });
    const grandchild = child.child({ part: 'p' });
    setLogLevel(logger, 'debug');
    for (const each of [logger, child, grandchild, logger.child({ late: true })]) each.debug('now');
    setLogLevel(logger, 'silent');
    for (const each of [logger, child, grandchild]) each.fatal('not this');
    expect(lines.map(({ msg }) => msg)).toEqual(['now', 'now', 'now', 'now']);
  });

  it('writes no secret, wherever it stands', () => {
    const { logger, lines } = recorder();
    const secret = 'hunter2';
    logger.info({ password: secret, token: secret });
    logger.info({
      etcd: { password: secret, tls: { key: secret } },
      headers: { authorization: secret, cookie: secret },
    });
    logger.info({ config: { etcd: { password: secret } }, req: { headers: { authorization: secret } } });
    expect(JSON.stringify(lines)).not.toContain(secret);
    expect(JSON.stringify(lines).match(/\[secret\]/g)).toHaveLength(8);
  });

  it('still writes the key of a shadow', () => {
    const { logger, lines } = recorder();
    logger.info({ key: { tenant: 't', thing: 'lamp', name: null } }, 'x');
    expect(lines[0]).toMatchObject({ key: { thing: 'lamp' } });
  });
});

describe('NestLogger', () => {
  it('hands on message, context, stack and error at the right level', () => {
    const { logger, lines } = recorder();
    const nest = new NestLogger(logger);
    nest.log('hello', 'SomeService');
    nest.error('bad', 'Error: bad\n  at x', 'SomeService');
    nest.error(new Error('worse'));
    nest.verbose({ a: 1 }, 'SomeService');
    expect(lines).toEqual([
      expect.objectContaining({ level: 30, msg: 'hello', context: 'SomeService' }),
      expect.objectContaining({ level: 50, msg: 'bad', stack: 'Error: bad\n  at x', context: 'SomeService' }),
      expect.objectContaining({ level: 50, msg: 'worse', err: expect.objectContaining({ message: 'worse' }) }),
      expect.objectContaining({ level: 10, msg: '{"a":1}' }),
    ]);
  });

  it('keeps the wiring of Nest for debug', () => {
    const { logger, lines } = recorder('info');
    new NestLogger(logger).log('Mapped {/health, GET} route', 'RouterExplorer');
    expect(lines).toEqual([]);
  });

  it('survives what cannot be made text', () => {
    const { logger, lines } = recorder();
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    new NestLogger(logger).warn(circle, 'X');
    expect(lines).toHaveLength(1);
  });
});
