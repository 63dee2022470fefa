import type * as DeviceLibrary from '../../../../src/sdk/device/index.js';
import type * as Library from '../../../../src/sdk/index.js';
import { Random } from '../../plans/random.js';
import { Application } from './application.js';
import { Calls } from './calls.js';
import { Lamp } from './lamp.js';
import { CountingClock, OwnLeaks } from './own-leaks.js';
import { SHADOWS, type Command, type ProgramSpec } from './spec.js';

/**
 * A process of its own with devices and applications that use the client library, as a test/faults/actors/library-process.ts
 * starts it. A process of its own can be killed, and can tell what the library has left behind.
 */
async function main(spec: ProgramSpec): Promise<void> {
  const calls = new Calls();
  const trouble = (text: string): void => calls.tell({ type: 'trouble', text });
  process.on('unhandledRejection', (error) => trouble(`unhandled rejection: ${inspected(error)}`));
  process.on('uncaughtException', (error) => trouble(`uncaught: ${inspected(error)}`));
  process.on('warning', ({ message }) => trouble(`warning: ${message}`));
  const end = new AbortController();
  const clock = new CountingClock();
  const { signal } = end;
  const random = new Random(spec.seed);
  const library = (await import(`${spec.library}/index.js`)) as typeof Library;
  const devices = (await import(`${spec.library}/device/index.js`)) as typeof DeviceLibrary;
  const leaks = new OwnLeaks(clock, signal);
  const nothing = (): void => undefined;
  const error = (data: object, message: string): void => trouble(`logged: ${message}: ${JSON.stringify(data)}`);
  const logger = { debug: nothing, info: nothing, warn: nothing, error };
  const lamps = spec.lamps.map(
    (lamp) =>
      new Lamp(lamp, {
        ...{ library: devices, calls, clock, logger, signal, outboxes: spec.outboxes },
        random: random.fork(lamp.thing),
      }),
  );
  const clients = spec.urls.map((url) => new library.Umbra({ url, clock, logger, attemptTimeoutMs: 4_000 }));
  const places =
    clients.length === 0 ? [] : spec.lamps.flatMap(({ thing }) => SHADOWS.map((name) => ({ thing, name })));
  const applications = places.map(({ thing, name }, i) => {
    const umbra = clients[i % clients.length]!;
    return new Application(thing, name, { umbra, calls, signal, random: random.fork(`application ${i}`) });
  });
  for (const actor of [...lamps, ...applications]) actor.start();
  const onCommand = (command: Command): void => {
    if (command === 'rest') for (const actor of [...lamps, ...applications]) actor.rest();
    else void leave();
  };
  process.on('message', onCommand);

  async function leave(): Promise<void> {
    process.off('message', onCommand);
    for (const client of clients) client.close();
    await Promise.all(lamps.map((lamp) => lamp.leave()));
    await calls.ended();
    calls.tell({ type: 'left', leaks: await leaks.found() });
    process.disconnect();
  }
}

const inspected = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));

process.once('message', (spec: ProgramSpec) => void main(spec));
