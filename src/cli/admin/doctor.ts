import type { Answer, Umbra } from '../../sdk/index.js';
import { CliError, EXIT, exitCodeOf, isUmbraError, type ExitCode } from '../exit-code.js';
import type { Style } from '../output.js';
import type { Run, Session } from '../session.js';

/** One check and what it found. */
export interface Finding {
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'failed';
  readonly detail: string;
}

/** Milliseconds that a check may take. */
const CHECK_MS = 5000;
/** Milliseconds by which the clocks may differ: signatures of AWS and tokens bear minutes. */
const CLOCK_MS = 60_000;
/** Milliseconds before the end of a credential from which it is told. */
const EXPIRY_MS = 24 * 3_600_000;

const COLORS: Readonly<Record<Finding['state'], Style>> = { ok: 'green', warning: 'yellow', failed: 'red' };

/** What is looked at. */
export interface Examined {
  /** Name of the context. */
  readonly name: string | null;
  readonly server: string;
  /** The tenant that the context is for. */
  readonly tenant?: string | undefined;
  readonly umbra: Umbra;
}

/** `doctor`. @throws CliError with the code of the first failure */
export const doctor: Run = async (session) => {
  const { name, server, tenant } = await session.context();
  // Each check once: whoever looks wants to see how it is now.
  const umbra = await session.umbra({ retry: { attempts: 1 } });
  const { findings, exit } = await examine(session, { name, server, tenant, umbra });
  await session.out.list(findings, ['', 'CHECK', 'FOUND'], ({ check, state, detail }) => [
    { text: state, style: COLORS[state] },
    check,
    detail,
  ]);
  if (exit !== EXIT.done) throw new CliError(exit, 'a check has failed');
};

/** Carries out all checks, and tells the exit code of the first failure. No errors. */
export async function examine(session: Session, { name, server, tenant, umbra }: Examined) {
  const findings: Finding[] = [{ check: 'context', state: 'ok', detail: `${name ?? '(none)'}: ${server}` }];
  let exit: ExitCode = EXIT.done;
  const check = async (what: string, task: () => Promise<readonly Finding[]>): Promise<boolean> => {
    try {
      findings.push(...(await task()));
      return true;
    } catch (error) {
      findings.push({ check: what, state: 'failed', detail: session.around.secrets.masked(reasonOf(error)) });
      exit ||= exitCodeOf(error);
      return false;
    }
  };
  const { signal } = session.around;
  if (await check('server', () => ready(umbra, signal))) await check('credential', () => me(umbra, tenant, signal));
  return { findings, exit };
}

function reasonOf(error: unknown): string {
  if (!isUmbraError(error)) return (error as Error).message;
  const parts = Object.entries((error.problem?.['parts'] ?? {}) as Record<string, { ok: boolean; reason?: string }>);
  const bad = parts.filter(([, { ok }]) => !ok).map(([part, { reason }]) => (reason ? `${part}: ${reason}` : part));
  return bad.length > 0 ? `not ready: ${bad.join('; ')}` : error.message;
}

async function ready(umbra: Umbra, signal: AbortSignal): Promise<Finding[]> {
  const answer = await umbra.call({ path: '/health/ready', timeoutMs: CHECK_MS, signal });
  const { version } = JSON.parse(answer.text) as { version: string };
  return [{ check: 'server', state: 'ok', detail: `ready, version ${version}` }, clock(answer)];
}

function clock({ headers }: Answer): Finding {
  const theirs = Date.parse(headers.get('date') ?? '');
  if (Number.isNaN(theirs)) return { check: 'clock', state: 'warning', detail: 'the server tells no time' };
  // The header has whole seconds.
  const off = Math.round((Date.now() - theirs) / 1000);
  const isOff = Math.abs(off) * 1000 > CLOCK_MS;
  const detail = isOff
    ? `${Math.abs(off)} s ${off > 0 ? 'ahead of' : 'behind'} the server: set it`
    : 'as on the server';
  return { check: 'clock', state: isOff ? 'warning' : 'ok', detail };
}

/** Nodes without authentication have no such route. */
function nullIfOpen(error: unknown): null {
  if (isUmbraError(error) && error.code === 'no-route') return null;
  throw error;
}

async function me(umbra: Umbra, wanted: string | undefined, signal: AbortSignal): Promise<Finding[]> {
  const answer = await umbra.call({ path: '/v1/auth/me', timeoutMs: CHECK_MS, signal }).catch(nullIfOpen);
  if (answer === null)
    return [{ check: 'credential', state: 'ok', detail: 'none is asked for: the service serves everybody' }];
  const { text } = answer;
  const { tenant, principal, expiresAt } = JSON.parse(text) as Record<
    'tenant' | 'principal' | 'expiresAt',
    string | null
  >;
  const found: Finding[] = [{ check: 'credential', state: 'ok', detail: `${principal} of the tenant ${tenant}` }];
  if (wanted !== undefined && wanted !== tenant)
    found.push({
      check: 'tenant',
      state: 'warning',
      detail: `the context is for ${wanted}, the credential for ${tenant}`,
    });
  if (expiresAt !== null && Date.parse(expiresAt) - Date.now() < EXPIRY_MS)
    found.push({ check: 'expiry', state: 'warning', detail: `the credential ends at ${expiresAt}` });
  return found;
}
