import type { Command } from 'commander';
import { changeContexts, readContexts, type Context, type Contexts } from '../contexts.js';
import { CliError, EXIT, usage } from '../exit-code.js';
import { action, serverOf, type Session } from '../session.js';
import type { Surroundings } from '../surroundings.js';

/** Characters of a name, so that it can be typed and read. */
const NAME = /^[\w.@-]{1,64}$/;

/** Adds `context` with its subcommands. No errors. */
export function contextCommand(program: Command, around: Surroundings): void {
  const context = program
    .command('context')
    .description('Keeps servers and credentials under names.')
    .helpCommand(false);
  context.command('list').description('Lists the contexts; * is the current one.').action(action(around, list));
  context
    .command('show')
    .description('Shows a context, without its key.')
    .argument('[name]', 'the current one by default')
    .action(action(around, show));
  context
    .command('set')
    .description('Makes a context or changes it. The first one becomes the current one.')
    .argument('<name>', 'letters, digits and . _ @ -')
    .option('--tenant <tenant>', 'the tenant that the context is for')
    .option('--no-tenant', 'it is for the tenant of its credential')
    .option('--ask-key', 'ask for the key or access token on the terminal')
    .option('--no-key', 'forget the key')
    .addHelpText('after', '\nThe server comes from --server, the key from --key-file.')
    .action(action(around, set));
  context.command('use').description('Makes a context the current one.').argument('<name>').action(action(around, use));
  context
    .command('delete')
    .description('Forgets a context and its key.')
    .argument('<name>')
    .action(action(around, remove));
}

/** What is shown of a context. The key is not. */
const shown = (name: string, { server, tenant, key, login }: Context, current: string | null) => ({
  ...{ name, server, tenant: tenant ?? null, hasKey: key !== undefined, issuer: login?.issuer ?? null },
  isCurrent: name === current,
});

async function list({ file, out }: Session): Promise<void> {
  const { current, contexts } = await readContexts(file);
  const all = Object.entries(contexts).map(([name, context]) => shown(name, context, current));
  await out.list(all, ['', 'NAME', 'SERVER', 'TENANT', 'KEY'], (each) => [
    each.isCurrent ? '*' : '',
    each.name,
    each.server,
    each.tenant ?? '',
    each.issuer === null ? (each.hasKey ? 'yes' : 'no') : `login at ${each.issuer}`,
  ]);
}

/** The context of a name; null: the current one. @throws CliError if there is none */
export function existing(all: Contexts, name: string | null): { readonly name: string; readonly context: Context } {
  if (name === null && all.current === null) throw new CliError(EXIT.notFound, 'there is no current context');
  const wanted = name ?? all.current!;
  const context = Object.hasOwn(all.contexts, wanted) ? all.contexts[wanted] : undefined;
  if (!context) throw new CliError(EXIT.notFound, `no context ${wanted}: see \`umbra context list\``);
  return { name: wanted, context };
}

async function show({ file, out, options }: Session, [given]: readonly (string | undefined)[]): Promise<void> {
  const all = await readContexts(file);
  const { name, context } = existing(all, given ?? options.context ?? null);
  const each = shown(name, context, all.current);
  const rows = [
    `server  ${each.server}`,
    `tenant  ${each.tenant ?? 'that of the key'}`,
    `key     ${each.hasKey ? 'yes' : 'no'}`,
    ...(each.issuer === null ? [] : [`login   at ${each.issuer}`]),
  ];
  await out.say(each, [`name    ${name}${each.isCurrent ? ' (current)' : ''}`, ...rows].join('\n'));
}

/** @throws CliError for what cannot be the name of a context */
export function checkName(name: string): void {
  if (!NAME.test(name)) throw usage('the name of a context has 1 to 64 letters, digits and . _ @ -');
}

async function set(session: Session, [name = '']: readonly string[], given: Readonly<Record<string, unknown>>) {
  const { file, options, out, around } = session;
  const { tenant, askKey, key: wantsKey } = given as { tenant?: string | false; askKey?: boolean; key?: boolean };
  checkName(name);
  if (Number(askKey === true) + Number(wantsKey === false) + Number(options.keyFile !== undefined) > 1)
    throw usage('give one of --key-file, --ask-key and --no-key');
  // Before anybody is asked; others may change the file meanwhile.
  serverFor(name, await readContexts(file), options.server);
  const fresh = askKey
    ? await session.askKey()
    : options.keyFile === undefined
      ? undefined
      : await session.keyOf(options.keyFile);
  let before: Context | undefined;
  const { current, contexts } = await changeContexts(file, (all) => {
    const old = Object.hasOwn(all.contexts, name) ? all.contexts[name] : undefined;
    const server = serverFor(name, all, options.server);
    // A key goes to the server that it was given for, and to no other. Nor is a tenant of one that of another.
    const same = server === old?.server ? old : undefined;
    const key = fresh ?? (wantsKey === false ? undefined : same?.key);
    const login = key === undefined && wantsKey !== false ? same?.login : undefined;
    const of = tenant === false ? undefined : (tenant ?? same?.tenant);
    before = old;
    const credential = { ...(key !== undefined && { key }), ...(login !== undefined && { login }) };
    const context: Context = { server, ...(of !== undefined && { tenant: of }), ...credential };
    return { current: all.current ?? name, contexts: { ...all.contexts, [name]: context } };
  });
  const context = contexts[name]!;
  if (before?.login !== undefined && context.login === undefined)
    await (await import('../tokens.js')).endLogin(before, { name, file, fetch: around.fetch });
  const lost = lostOf(before, context);
  const told = lost.length === 0 ? '' : `; forgotten, since it was for the other server: ${lost.join(', ')}`;
  await out.say(shown(name, context, current), `context ${name} is kept${told}`);
}

/** What a context had for another server, and nothing has come in the place of. */
function lostOf(before: Context | undefined, now: Context): string[] {
  if (before === undefined || before.server === now.server) return [];
  const isOpen = now.key === undefined && now.login === undefined;
  return [
    ...(isOpen && before.key !== undefined ? ['its key'] : []),
    ...(isOpen && before.login !== undefined ? [`its login at ${before.login.issuer}`] : []),
    ...(now.tenant === undefined && before.tenant !== undefined ? [`its tenant ${before.tenant}`] : []),
  ];
}

/** @throws CliError if neither the command nor the context of the name has a server */
export function serverFor(name: string, { contexts }: Contexts, given: string | undefined): string {
  const server =
    given === undefined ? (Object.hasOwn(contexts, name) ? contexts[name]!.server : undefined) : serverOf(given);
  if (server === undefined) throw usage(`the context ${name} is new: give --server URL`);
  return server;
}

async function use({ file, out }: Session, [given = '']: readonly string[]): Promise<void> {
  const { contexts } = await changeContexts(file, (all) => ({ ...all, current: existing(all, given).name }));
  await out.say(shown(given, contexts[given]!, given), `context ${given} is the current one`);
}

async function remove(session: Session, [given = '']: readonly string[]): Promise<void> {
  const { file, out, around } = session;
  existing(await readContexts(file), given);
  await session.confirm(`Forget the context ${given} and its key?`);
  let before: Context | undefined;
  await changeContexts(file, (all) => {
    before = existing(all, given).context;
    const contexts = Object.fromEntries(Object.entries(all.contexts).filter(([name]) => name !== given));
    return { current: all.current === given ? null : all.current, contexts };
  });
  await (await import('../tokens.js')).endLogin(before, { name: given, file, fetch: around.fetch });
  await out.say({ name: given, deleted: true }, `context ${given} is forgotten`);
}
