import { EventEmitter } from 'node:events';
import { pino } from 'pino';
import { Shutdown, stopOnSignals, stopOnUncaught } from './shutdown.js';

function start(end: () => Promise<void> = () => Promise.resolve()) {
  const lines: { level: number; msg: string; [member: string]: unknown }[] = [];
  const logger = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line) as never) });
  const process = new EventEmitter();
  const codes: number[] = [];
  let exited = (): void => undefined;
  const exit = new Promise<void>((resolve) => (exited = resolve));
  const parts = { logger, end, limitMs: 60_000, exit: (code: number) => (codes.push(code), exited()) };
  const shutdown = new Shutdown(parts);
  stopOnSignals(process, shutdown);
  stopOnUncaught(process, shutdown, logger);
  return { process, lines, codes, exit };
}

const FATAL = 60;

it('an exception that nothing caught is fatal, and the node drains before it exits with 1', async () => {
  let release = (): void => undefined;
  const drained = new Promise<void>((resolve) => (release = resolve));
  const { process, lines, codes, exit } = start(() => drained);
  process.emit('uncaughtException', new Error('planted'), 'uncaughtException');
  expect(lines[0]).toMatchObject({ level: FATAL, err: { message: 'planted' }, origin: 'uncaughtException' });
  expect(lines[1]).toMatchObject({ msg: 'stopping', reason: 'uncaught-exception' });
  expect(codes).toEqual([]);
  release();
  await exit;
  expect(codes).toEqual([1]);
});

it('many of them are logged ten times and end the node once', async () => {
  let ends = 0;
  const { process, lines, codes, exit } = start(() => (ends++, Promise.resolve()));
  for (let i = 0; i < 100; i++) process.emit('uncaughtException', new Error('again'), 'unhandledRejection');
  await exit;
  expect(lines.filter(({ level }) => level === FATAL)).toHaveLength(10);
  expect([ends, codes]).toEqual([1, [1]]);
});

it('an exception while the node drains changes its exit code', async () => {
  let release = (): void => undefined;
  const { process, codes, exit } = start(() => new Promise((resolve) => (release = resolve)));
  process.emit('SIGTERM');
  process.emit('uncaughtException', new Error('late'), 'uncaughtException');
  release();
  await exit;
  expect(codes).toEqual([1]);
});

it.each(['SIGTERM', 'SIGINT', 'disconnect'])('%s ends the node in order', async (event) => {
  const { process, lines, codes, exit } = start();
  process.emit(event);
  await exit;
  expect(codes).toEqual([0]);
  expect(lines.map(({ msg }) => msg)).toEqual(['stopping', 'stopped']);
});

it('a second Ctrl-C does not wait, a second SIGTERM does', () => {
  const { process, codes } = start(() => new Promise(() => undefined));
  process.emit('SIGINT');
  process.emit('SIGTERM');
  expect(codes).toEqual([]);
  process.emit('SIGINT');
  expect(codes).toEqual([130]);
});

it('a drain that fails exits with 1', async () => {
  const { process, lines, codes, exit } = start(() => Promise.reject(new Error('etcd')));
  process.emit('SIGTERM');
  await exit;
  expect(codes).toEqual([1]);
  expect(lines.at(-1)).toMatchObject({ msg: 'the shutdown failed', err: { message: 'etcd' } });
});
