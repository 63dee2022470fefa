import { CliError, EXIT } from '../exit-code.js';
import type { Session } from '../session.js';

/** Milliseconds for one answer. */
const ANSWER_MS = 10_000;

interface Reply {
  readonly data?: { readonly result?: readonly { readonly value?: readonly [number, string] }[] };
  readonly error?: string;
}

/** A quantile of a histogram over all series of it. No errors. */
export const quantile = (share: number, name: string, window: string): string =>
  `histogram_quantile(${share}, sum by (le) (rate(${name}_bucket[${window}])))`;

/**
 * The figure that an expression has in Prometheus now; null: there is none.
 * @throws CliError if it does not answer, or does not take the expression
 */
export async function ask({ around }: Session, server: string, expression: string): Promise<number | null> {
  const url = new URL('api/v1/query', server.endsWith('/') ? server : `${server}/`);
  url.searchParams.set('query', expression);
  const signal = AbortSignal.any([around.signal, AbortSignal.timeout(ANSWER_MS)]);
  let reply: Reply;
  try {
    reply = (await (await around.fetch(url.href, { signal })).json()) as Reply;
  } catch (error) {
    throw new CliError(EXIT.unreachable, `Prometheus at ${url.origin} has not answered: ${(error as Error).message}`);
  }
  if (reply.data?.result === undefined)
    throw new CliError(
      EXIT.failed,
      `Prometheus at ${url.origin} has refused ${expression}: ${reply.error ?? 'no data'}`,
    );
  const value = Number(reply.data.result[0]?.value?.[1] ?? NaN);
  return Number.isNaN(value) ? null : value;
}
