import { adviserFor } from '../advise.js';
import { CliError, EXIT, usage } from '../exit-code.js';
import { nameOf, textOf } from '../json-file.js';
import type { Run, Session } from '../session.js';
import { checklist, failedIn, judged, show, skipped, type Line, type PreflightOptions } from './preflight.js';
import { keepForm } from './release-file.js';
import { formIn, incompatibilities, templateOf, type Build, type ReleaseForm } from './release-form.js';
import { clockOf, localText, nextOpening, openWindow, windowText, type Window } from './release-window.js';

interface Options extends PreflightOptions {
  readonly window: readonly Window[];
  readonly timeZone: string;
  readonly outsideWindow?: boolean;
  readonly reason?: string;
  readonly forms: string;
  readonly template?: boolean;
}

interface Status {
  readonly version?: string;
  readonly storage?: { readonly recordFormats?: Pick<Build, 'reads' | 'writes'> } | null;
}

/** `ops release`. @throws CliError if the release is not let in; UmbraError */
export const release: Run = async (session, [path], given) => {
  const options = given as unknown as Options;
  if (options.template) return session.out.raw(templateOf(buildOf(await statusOf(session))));
  if (path === undefined) throw usage('give the file of the form; umbra ops release --template prints one');
  const form = formIn(await textOf(path, session.around), nameOf(path));
  const faults = incompatibilities(form);
  if (faults.length > 0) throw usage(`not compatible: ${faults.join('; ')}`);
  const now = session.around.clock.now();
  const window = windowAt(now, options);
  const lines = [...runsLines(form, await statusOf(session)), ...(await checklist(session, options))];
  await show(session, lines);
  const failed = failedIn(lines);
  if (failed.length > 0) throw new CliError(EXIT.failed, `not ready for a release: ${failed.join(', ')}`);
  const file = await keepForm(options.forms, {
    ...{ ...form, openedAt: new Date(now).toISOString(), window, timeZone: options.timeZone },
    ...{ reason: window === null ? options.reason! : null, server: (await session.context()).server, checks: lines },
  });
  await tellNext(session, form, file, options);
};

/** The window that is open; null: the release is outside of them, with a reason. @throws CliError */
function windowAt(now: number, { window: windows, timeZone, outsideWindow, reason }: Options): string | null {
  if ((outsideWindow === true) !== (reason !== undefined)) throw usage('--outside-window and --reason go together');
  if (reason?.trim() === '') throw usage('--reason is empty');
  const clock = clockOf(timeZone);
  const open = openWindow(windows, clock(now));
  if (open !== null) return windowText(open);
  if (outsideWindow) return null;
  const next = nextOpening(windows, clock, now);
  throw new CliError(
    EXIT.failed,
    `no window is open (${windows.map(windowText).join(', ')}, ${timeZone}): the next one opens at ` +
      `${localText(next, timeZone)}. What cannot wait takes --outside-window --reason TEXT`,
  );
}

async function statusOf(session: Session): Promise<Status> {
  const umbra = await session.umbra({ retry: { attempts: 1 } });
  return JSON.parse((await umbra.call({ path: '/health/status', signal: session.around.signal })).text) as Status;
}

const buildOf = ({ version, storage }: Status): Partial<Build> => ({
  ...(version !== undefined && { version }),
  ...storage?.recordFormats,
});

/** Whether the form has said of the version before what the node that answers says. */
function runsLines({ from }: ReleaseForm, status: Status): Line[] {
  const { version = 'not known', reads, writes } = buildOf(status);
  const runs = judged('version that runs', version === from.version, version, `${from.version}, as from.version says`);
  const limit = `${formatsText(from)}, as the form says`;
  if (reads === undefined || writes === undefined)
    return [runs, { ...skipped('formats of records', limit, ''), found: 'the node does not say' }];
  const found = formatsText({ reads, writes });
  return [runs, judged('formats of records', found === formatsText(from), found, limit)];
}

const formatsText = ({ reads, writes }: Pick<Build, 'reads' | 'writes'>): string =>
  `reads ${[...reads].sort((a, b) => a - b).join(', ')}, writes ${writes}`;

async function tellNext(session: Session, { to }: ReleaseForm, file: string, { prometheus }: Options): Promise<void> {
  const advise = adviserFor(session.options);
  const by = prometheus === undefined ? ['--prometheus', 'URL'] : ['--prometheus', prometheus];
  await session.out.say(
    { form: file },
    [
      `release of ${to.version} is let in; its form is ${file}`,
      `after the first node:    ${advise('ops', 'canary', to.version, ...by)}`,
      `if it has to come back:  ${advise('ops', 'rollback', '--form', file, ...by, '--workload', 'deployment/umbra')}`,
    ].join('\n'),
  );
}
