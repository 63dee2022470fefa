import { CliError, EXIT } from '../exit-code.js';
import type { Cell } from '../output.js';
import type { Run } from '../session.js';
import { Policies } from './policy-records.js';

interface Permission {
  readonly policy: string;
  readonly statement: number;
  readonly source: Readonly<Record<string, unknown>>;
}

/** The decision as the service explains it. */
interface Explained {
  readonly effect: 'allow' | 'deny' | 'none';
  readonly policy: string | null;
  readonly statement: number | null;
  readonly source: Permission['source'] | null;
  /** False: nothing is allowed, whatever the statements say. */
  readonly active: boolean;
  readonly permissions: readonly Permission[];
}

/** Asks the service whether a principal may do something. @throws CliError, UmbraError */
export const explain: Run = async (session, [principal = '', action = '', resource = ''], options) => {
  const { clientId, address, all, exitCode } = options as {
    clientId?: string;
    address?: string;
    all?: true;
    exitCode?: true;
  };
  const policies = await Policies.of(session, options);
  const explained = await policies.explain<Explained>({ principal, action, resource, clientId, address });
  const isAllowed = explained.active && explained.effect === 'allow';
  const { out } = session;
  await out.lines({ allowed: isAllowed, ...explained }, [headOf(explained), ...sourceOf(explained)]);
  if (all && !out.isJson)
    await out.list(explained.permissions, ['EFFECT', 'POLICY', 'STATEMENT', 'ACTION', 'RESOURCE'], (each) => [
      valueText(each.source['Effect']),
      each.policy,
      nameOf(each.statement, each.source),
      valueText(each.source['Action']),
      valueText(each.source['Resource']),
    ]);
  if (exitCode && !isAllowed) throw new CliError(EXIT.notAllowed, `${principal} may not do ${action} on ${resource}`);
};

function headOf({ active, effect, policy, statement, source }: Explained): Cell {
  const by = policy === null ? 'all that it has' : `the policy ${policy}, statement ${nameOf(statement ?? 0, source)}`;
  if (!active) return { text: 'not allowed: the principal or its tenant is disabled', style: 'red' };
  if (effect === 'allow') return { text: `allowed by ${by}`, style: 'green' };
  if (effect === 'deny') return { text: `denied by ${by}`, style: 'red' };
  return { text: 'not allowed: no statement allows it', style: 'red' };
}

const sourceOf = ({ source }: Explained): string[] =>
  source === null ? [] : JSON.stringify(source, null, 2).split('\n');

/** Its index, and its name if it has one. */
function nameOf(index: number, source: Permission['source'] | null): string {
  const sid = source?.['Sid'];
  return typeof sid === 'string' ? `${index} (${sid})` : `${index}`;
}

const valueText = (value: unknown): string => (Array.isArray(value) ? value.join(', ') : String(value));
