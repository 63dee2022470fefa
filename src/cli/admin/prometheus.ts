import { CliError, EXIT } from '../exit-code.js';
import type { Session } from '../session.js';

/** Milliseconds for one answer. */
const ANSWER_MS = 10_000;

interface Reply {
  readonly data?: {
    readonly result?: readonly {
      readonly metric?: Readonly<Record<string, string>>;
      readonly value?: readonly [number, string];
    }[];
  };
  readonly error?: string;
}

/** A series of an answer with its value now. */
export interface Figure {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * The figure that an expression has in Prometheus now; null: there is none.
 * @throws CliError if it does not answer, or does not take the expression
 */
export async function ask(session: Session, server: string, expression: string): Promise<number | null> {
  return (await askAll(session, server, expression))[0]?.value ?? null;
}

/**
 * All figures that an expression has in Prometheus now; what is no number is left out.
 * @throws CliError as `ask`
 */
export async function askAll(
  { around }: Pick<Session, 'around'>,
  server: string,
  expression: string,
  limitMs = ANSWER_MS,
): Promise<Figure[]> {
  const url = new URL('api/v1/query', server.endsWith('/') ? server : `${server}/`);
  url.searchParams.set('query', expression);
  const signal = AbortSignal.any([around.signal, AbortSignal.timeout(Math.min(limitMs, ANSWER_MS))]);
  let reply: Reply;
  try {
    reply = (await (await around.fetch(url.href, { signal })).json()) as Reply;
  } catch (error) {
    throw new CliError(EXIT.unreachable, `Prometheus at ${url.origin} has not answered (${reasonOf(error)})`);
  }
  if (reply.data?.result === undefined)
    throw new CliError(
      EXIT.failed,
      `Prometheus at ${url.origin} has refused ${expression}: ${reply.error ?? 'no data'}`,
    );
  const figures = reply.data.result.map(({ metric, value }) => ({
    labels: metric ?? {},
    value: Number(value?.[1] ?? NaN),
  }));
  return figures.filter(({ value }) => !Number.isNaN(value));
}

/** Such as ECONNREFUSED, or TimeoutError. */
function reasonOf(error: unknown): string {
  const { name, cause } = error as Error & { readonly cause?: { readonly code?: string } };
  return cause?.code ?? name;
}
