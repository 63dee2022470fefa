import type { Command } from 'commander';
import type { Auth, Umbra, UmbraOptions } from '../sdk/index.js';
import { contextsFile, readContexts, type Context } from './contexts.js';
import { CliError, EXIT, usage } from './exit-code.js';
import { textOf } from './json-file.js';
import { Output } from './output.js';
import { printable } from './printable.js';
import type { Surroundings } from './surroundings.js';

/** The options that every command has. */
export interface GlobalOptions {
  readonly context?: string;
  readonly server?: string;
  readonly keyFile?: string;
  readonly timeout?: number;
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly color?: boolean;
}

/** A context under its name; null: it was made for one command. */
type NamedContext = Context & { readonly name: string | null };

/** Characters that a credential may have: it goes into a header. */
const CREDENTIAL = /^[\x21-\x7e]{1,16384}$/;

/** One run of a command: its global options and what it takes from them. */
export class Session {
  readonly out: Output;
  readonly #clients: Umbra[] = [];
  #context: Promise<NamedContext> | null = null;

  constructor(
    readonly around: Surroundings,
    readonly options: GlobalOptions,
  ) {
    this.out = new Output(around.stdout, { json: options.json === true, color: wantsColor(around, options) });
  }

  /** Where the contexts are kept. */
  get file(): string {
    return contextsFile(this.around);
  }

  /**
   * The service to talk to. With `--server` nothing of a context is used: its key is for its own server.
   * @throws CliError if there is none
   */
  context(): Promise<NamedContext> {
    // Once, since a key on stdin can be read once.
    return (this.#context ??= this.#readContext());
  }

  async #readContext(): Promise<NamedContext> {
    const { server, context: wanted, keyFile } = this.options;
    if (server !== undefined && wanted !== undefined) throw usage('give --server or --context, not both');
    const key = keyFile === undefined ? {} : { key: await this.keyOf(keyFile) };
    if (server !== undefined) return { name: null, server: serverOf(server), ...key };
    const { current, contexts } = await readContexts(this.file);
    const name = wanted ?? current;
    if (name === null)
      throw usage('no server: give --server URL, or keep one with `umbra context set NAME --server URL`');
    const found = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
    if (!found) throw new CliError(EXIT.notFound, `no context ${name}: see \`umbra context list\``);
    this.around.secrets.add(found.key);
    return { name, ...found, ...key };
  }

  /** A client of the service. It is closed with the session. @throws CliError, UmbraError */
  async umbra(more: Pick<UmbraOptions, 'retry'> = {}): Promise<Umbra> {
    const context = await this.context();
    return this.clientOf(context.server, await this.#authOf(context), more);
  }

  /** As umbra, of a server and a credential that no context has. @throws UmbraError */
  async clientOf(server: string, auth: Auth | null, more: Pick<UmbraOptions, 'retry'> = {}): Promise<Umbra> {
    const { anonymous, Umbra } = await import('../sdk/index.js');
    const { timeout } = this.options;
    const client = new Umbra({
      url: server,
      fetch: this.around.fetch,
      auth: auth ?? anonymous,
      ...(timeout !== undefined && { timeoutMs: timeout * 1000 }),
      ...more,
    });
    // It comes behind the renewal: tokens that are got on the way are no more to be shown than keys that were read.
    client.use((call, next) => {
      this.around.secrets.add(call.headers['authorization']?.replace(/^Bearer /, ''));
      return next(call);
    });
    this.#clients.push(client);
    return client;
  }

  async #authOf({ name, server, key, login }: NamedContext): Promise<Auth | null> {
    if (key !== undefined) return (await import('../sdk/index.js')).bearer(key);
    if (login === undefined || name === null) return null;
    const { loginOf } = await import('./tokens.js');
    return loginOf(login, { name, server, file: this.file, fetch: this.around.fetch });
  }

  /** A credential from a file; `-` is stdin. @throws CliError */
  async keyOf(file: string): Promise<string> {
    return this.#credentialOf(await textOf(file, this.around), file === '-' ? 'stdin' : file);
  }

  #credentialOf(text: string, from: string): string {
    const credential = text.trim();
    // The message must not show what was read.
    if (!CREDENTIAL.test(credential)) throw usage(`${from} has no key: it must be one line of ASCII without blanks`);
    this.around.secrets.add(credential);
    return credential;
  }

  /** Tells on stderr what does not end the command. @throws the error of the stream */
  async warn(code: string, message: string): Promise<void> {
    const text = this.out.isJson ? JSON.stringify({ warning: { code, message } }) : `umbra: ${message}`;
    await this.around.stderr.write(`${printable(this.around.secrets.masked(text))}\n`);
  }

  /** Asks a person for a credential. @throws CliError without a terminal, or if the person gives up */
  async askKey(): Promise<string> {
    if (!this.around.isInteractive)
      throw usage('--ask-key needs a terminal; else give --key-file FILE, or - for stdin');
    return this.#credentialOf(await this.ask('Key or access token'), 'the answer');
  }

  /** Asks a person for a secret, on a terminal. @throws CliError if the person gives up */
  async ask(question: string): Promise<string> {
    const answer = await (await this.around.prompts()).secret(question);
    if (answer === null) throw new CliError(EXIT.interrupted, 'interrupted');
    // Of whatever kind it is.
    this.around.secrets.add(answer);
    return answer;
  }

  /** Returns if the person agrees, or `--yes` was given. @throws CliError */
  async confirm(question: string): Promise<void> {
    if (this.options.yes === true) return;
    if (!this.around.isInteractive) throw usage(`${question} Confirm with --yes.`);
    const answer = await (await this.around.prompts()).confirm(question);
    if (answer === null) throw new CliError(EXIT.interrupted, 'interrupted');
    if (!answer) throw new CliError(EXIT.failed, 'not confirmed: nothing was changed');
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}

/** What has to be there beside the arguments of an action of commander. No errors. */
export type Run = (
  session: Session,
  args: readonly string[],
  options: Readonly<Record<string, unknown>>,
) => Promise<void>;

/** A part that is loaded when its command is carried out, so that others start without it. No errors. */
export const later =
  (load: () => Promise<Run>): Run =>
  async (...given) =>
    (await load())(...given);

/**
 * The action of a command: opens a session, runs, and closes it.
 * @throws whatever `run` throws
 */
export function action(around: Surroundings, run: Run) {
  return async (...given: unknown[]): Promise<void> => {
    const command = given.at(-1) as Command;
    const options = command.optsWithGlobals();
    const session = new Session(around, options);
    try {
      await run(session, given.slice(0, -2).flat() as string[], options);
    } finally {
      session.close();
    }
  };
}

/** https://no-color.org, and a terminal without colours. */
const wantsColor = ({ env }: Surroundings, { color }: GlobalOptions): boolean =>
  color !== false && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';

/** The address of a server. @throws CliError */
export function serverOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^https?:$/.test(url.protocol) || url.username + url.password + url.search + url.hash !== '')
    throw usage('the server must be like https://umbra.example, without user, query and fragment');
  return url.href.replace(/\/+$/, '');
}
