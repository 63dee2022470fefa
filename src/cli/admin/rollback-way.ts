import { CliError, EXIT, usage } from '../exit-code.js';
import type { Session } from '../session.js';

/** How a version is put back. */
export interface Way {
  /** As people would do it. */
  readonly shown: string;
  /** What is asked before; null: nothing has to be confirmed. */
  readonly question: string | null;
  /**
   * Does it, within so many milliseconds. Returns what was done.
   * @param areBack whether all nodes that live run the wanted version already
   * @throws CliError if it fails, or takes longer
   */
  run(limitMs: () => number, areBack: boolean): Promise<string>;
}

export interface WayOptions {
  readonly to: string;
  readonly workload?: string;
  readonly namespace: string;
  readonly revision?: number;
  readonly command?: string;
  readonly byHand?: boolean;
}

/** Of a deployment and of a stateful set alike; what is not there is empty. */
const ASKED = [
  ...['.spec.template.spec.containers[*].image', '.metadata.generation', '.status.observedGeneration'],
  ...['.spec.replicas', '.status.replicas', '.status.updatedReplicas', '.status.readyReplicas'],
]
  .map((path) => `{${path}}`)
  .join(',');
/** Milliseconds for a question to Kubernetes. */
const QUESTION_MS = 10_000;

/** The way that the options name. @throws CliError if they name none, or several */
export function wayOf(session: Session, options: WayOptions): Way {
  const { workload, command, byHand, to } = options;
  const given = [workload, command, byHand].filter((each) => each !== undefined);
  if (given.length !== 1)
    throw usage('say how, by one of --workload deployment/NAME (by kubectl), --command FILE, and --by-hand');
  if (workload !== undefined) return byKubectl(session, { ...options, workload });
  if (command !== undefined) return byCommand(session, command, to);
  const shown = `put version ${to} back on each node that runs another one, one after the other`;
  return {
    shown,
    question: null,
    run: (_, areBack) => Promise.resolve(areBack ? 'nothing is to be done' : 'that is yours to do'),
  };
}

/** It is given the version, and must bear being run again. */
function byCommand(session: Session, command: string, to: string): Way {
  const shown = `${command} ${to}`;
  return {
    ...{ shown, question: `Put version ${to} back by ${shown}?` },
    run: (limitMs) => executed(session, command, [to], limitMs()),
  };
}

function byKubectl(
  session: Session,
  { workload, namespace, revision, to }: WayOptions & { readonly workload: string },
): Way {
  const earlier = revision === undefined ? [] : [`--to-revision=${revision}`];
  const undo = ['rollout', 'undo', workload, `--namespace=${namespace}`, ...earlier];
  const shown = ['kubectl', ...undo].join(' ');
  return {
    ...{ shown, question: `Put version ${to} back by ${shown}?` },
    async run(limitMs, areBack) {
      // To a numbered revision kubectl goes once, however often it is told to.
      const state = revision === undefined ? await stateOf(session, workload, namespace, limitMs()) : null;
      const said =
        state !== null && isUndone(state, to, areBack)
          ? `nothing to undo: ${workload} is to run version ${to}`
          : await executed(session, 'kubectl', undo, limitMs());
      const status = ['rollout', 'status', workload, `--namespace=${namespace}`];
      await executed(session, 'kubectl', [...status, `--timeout=${Math.ceil(limitMs() / 1000)}s`], limitMs());
      return said;
    },
  };
}

/**
 * Whether another undo would bring the newer version. A rollout that hangs is no such case, although all nodes that live
 * run the older version then. No errors.
 */
const isUndone = ({ images, isRolledOut }: State, version: string, areBack: boolean): boolean =>
  (areBack && isRolledOut) || images.some((image) => isOf(image, version));

/** Whether an image has the tag of a version. No errors. */
const isOf = (image: string, version: string): boolean =>
  [`:${version}`, `:v${version}`].some((tag) => image.replace(/@.*/, '').endsWith(tag));

interface State {
  readonly images: readonly string[];
  readonly isRolledOut: boolean;
}

async function stateOf(session: Session, workload: string, namespace: string, limitMs: number): Promise<State> {
  const args = ['get', workload, `--namespace=${namespace}`, `--output=jsonpath=${ASKED}`];
  const said = await executed(session, 'kubectl', args, Math.min(limitMs, QUESTION_MS));
  // Warnings may come beside it.
  const [, images, numbers] = /^([^,\n]*)((?:,\d*){6})$/m.exec(said) ?? [];
  if (numbers === undefined) throw new CliError(EXIT.failed, `kubectl get has not said how ${workload} is: ${said}`);
  const [generation, observed, wanted, ...counts] = numbers.slice(1).split(',').map(Number);
  return {
    images: images!.split(' '),
    isRolledOut: observed! >= generation! && counts.every((count) => count === wanted),
  };
}

async function executed(session: Session, program: string, args: readonly string[], limitMs: number): Promise<string> {
  const shown = [program, ...args].join(' ');
  if (limitMs <= 0) throw new CliError(EXIT.failed, `no time is left for ${shown}`);
  const { execute, secrets } = session.around;
  const ended = await execute(program, args, limitMs);
  const [exit, said] = [ended.exit, secrets.masked(ended.said)];
  const last = said === '' ? '' : `: ${said}`;
  if (exit === null) throw new CliError(EXIT.failed, `${shown} has not ended in time${last}`);
  if (exit !== 0) throw new CliError(EXIT.failed, `${shown} has failed with ${exit}${last}`);
  return said === '' ? 'done' : said;
}
