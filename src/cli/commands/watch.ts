import { Option, type Command } from 'commander';
import type { Change, Link, UmbraError, WatchFilter } from '../../sdk/index.js';
import { isUmbraError, usage } from '../exit-code.js';
import { printableLine } from '../printable.js';
import { action, type Session } from '../session.js';
import type { Surroundings } from '../surroundings.js';
import { positive } from './options.js';
import { targetOf } from './state-arguments.js';

interface Given {
  readonly initial?: boolean;
  readonly delta?: true;
  readonly real?: true;
  readonly path?: string[];
  readonly kind?: 'updated' | 'deleted';
  readonly cursorFile?: string;
  readonly count?: number;
}

/** Adds `watch` and `things`. No errors. */
export function streamCommands(program: Command, around: Surroundings): void {
  program
    .command('watch')
    .description(
      'Prints changes as they come, until Ctrl-C. Lost connections are opened again, and no change is left out.',
    )
    .argument('[target]', 'THING, THING/SHADOW, or either with * at the end of a name; everything by default')
    .option('--initial', 'begin with the present state')
    .option('--delta', 'only changes after which desired differs from reported')
    .option('--real', 'leave out changes that have changed no value')
    .option('--path <pointer...>', 'only changes that touch one of these, such as /desired/power')
    .addOption(new Option('--kind <kind>', 'only changes of this kind').choices(['updated', 'deleted']))
    .option('--cursor-file <file>', 'begin behind the last change that was printed, and keep it in this file')
    .option('--count <number>', 'end after so many changes', positive)
    .action(action(around, watch));
  program.command('things').description('Lists the things that have a shadow.').action(action(around, things));
}

function filterOf(text: string | undefined, { delta, real, path, kind }: Given): WatchFilter {
  const target = text === undefined ? null : targetOf(text);
  return {
    ...(target !== null && { things: target.thing }),
    ...(target !== null && target.shadow !== null && { shadows: target.shadow }),
    ...(kind !== undefined && { kinds: kind }),
    ...(path !== undefined && { paths: path }),
    ...(delta && { delta }),
    ...(real && { real }),
  };
}

async function watch(
  session: Session,
  [text]: readonly (string | undefined)[],
  options: Readonly<Record<string, unknown>>,
) {
  const given = options as Given;
  if (given.initial && given.cursorFile !== undefined) throw usage('give --initial or --cursor-file, not both');
  const filter = filterOf(text, given);
  const umbra = await session.umbra();
  const { fileCursor, UmbraError } = await import('../../sdk/index.js');
  const once = (error: UmbraError) => new UmbraError({ ...error, message: error.message, retryable: false });
  umbra.use(outages(session, once));
  const cursor = given.cursorFile === undefined ? undefined : fileCursor(given.cursorFile);
  let left = given.count ?? Infinity;
  const { signal } = session.around;
  for await (const change of umbra.watch(filter, { signal, cursor, ...(given.initial && { initial: true }) })) {
    await session.out.say(change, printableLine(line(change)));
    if (--left > 0 && !session.out.isGone) continue;
    // The library would save it when the next change is asked for.
    if (change.cursor !== null) await cursor?.save(change.cursor);
    return;
  }
}

/**
 * Tells that a lost connection is tried again. A server that was never there is told at once, and ends the command.
 * @param once the error as one that no new attempt can mend
 */
function outages(session: Session, once: (error: UmbraError) => UmbraError): Link {
  let wasThere = false;
  let isTold = false;
  return async (call, next) => {
    try {
      const answer = await next(call);
      [wasThere, isTold] = [true, false];
      return answer;
    } catch (error) {
      if (!isUmbraError(error) || !error.retryable || call.signal.aborted) throw error;
      if (!wasThere) throw once(error);
      if (!isTold) await session.warn(error.code, `${error.message}; trying again`);
      isTold = true;
      throw error;
    }
  };
}

function line({ time, thing, shadow, version, kind, patch, document, isInitial }: Change): string {
  const name = shadow === null ? thing : `${thing}/${shadow}`;
  const what = kind === 'deleted' ? 'deleted' : JSON.stringify(isInitial ? document?.state : patch);
  return `${time}  ${name}  ${version}  ${what}`;
}

async function things(session: Session): Promise<void> {
  const { out, around } = session;
  const umbra = await session.umbra();
  await out.stream(umbra.things({ signal: around.signal }), ['THING', 'SHADOWS'], ({ thing, shadows, truncated }) => [
    thing,
    shadows.map(({ name }) => name ?? '(classic)').join(', ') + (truncated ? ', …' : ''),
  ]);
}
