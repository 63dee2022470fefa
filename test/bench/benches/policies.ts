import type { PolicyAction } from '../../../src/policies/actions.js';
import type { PolicyContext } from '../../../src/policies/context-keys.js';
import { parsePolicyDocument } from '../../../src/policies/policy-document.js';
import { PolicySnapshot, type PolicySubject } from '../../../src/policies/policy-snapshot.js';
import type { PolicyResource } from '../../../src/policies/resource-pattern.js';
import type { Lab } from '../lab.js';
import { atLeast, row, type Result, type Row } from '../result.js';

const TENANT = 'bench';
const DOCUMENTS = 200;
const QUESTIONS = 20_000;
const THING = '${iot:Connection.Thing.ThingName}';
/** Primes, so that neighbouring questions come from principals and documents that are far apart. */
const STRIDE = 7919;

interface Question {
  readonly subject: PolicySubject;
  readonly action: PolicyAction;
  readonly resource: PolicyResource;
  readonly context: PolicyContext;
}

const arn = (resource: string): string => `arn:aws:iot:eu-central-1:111122223333:${resource}`;
const nameOf = (principal: number): string => `thing-${principal}`;

/** Five statements, as fleets have them: one shared document per plant. */
export function documentText(plant: number): string {
  const shadow = `$aws/things/${THING}/shadow/*`;
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: 'iot:Connect',
        Resource: arn(`client/${THING}`),
        Condition: { Bool: { 'iot:Connection.Thing.IsAttached': 'true' } },
      },
      {
        Effect: 'Allow',
        Action: ['iot:Publish', 'iot:Receive'],
        Resource: [arn(`topic/${shadow}`), arn(`topic/plant-${plant}/*/${THING}/data`)],
      },
      { Effect: 'Allow', Action: 'iot:Subscribe', Resource: arn(`topicfilter/${shadow}`) },
      {
        Effect: 'Allow',
        Action: ['iot:GetThingShadow', 'iot:UpdateThingShadow'],
        Resource: [arn(`thing/${THING}`), arn(`thing/${THING}/*`)],
      },
      { Effect: 'Deny', Action: 'iot:Publish', Resource: arn(`topic/plant-${plant}/keys/*`) },
    ],
  });
}

/** Decisions alone: 10,000 principals, 200 documents, 1,000 statements; allowed, denied and about foreign things. */
export function policies(lab: Lab): Promise<Result> {
  const principals = lab.size(10_000, 10_000, 100);
  const start = performance.now();
  const snapshot = loaded(principals);
  const questions = ask(principals);
  for (const { subject } of questions) snapshot.setFor(subject);
  const loadMs = performance.now() - start;
  decideAll(snapshot, questions, lab.scale.warmSeconds);
  const rates = Array.from({ length: lab.scale.pairs }, () => decideAll(snapshot, questions, lab.scale.seconds));
  const perSecond: Row = row('decisions per second of processor', rates, atLeast(1_000_000));
  return Promise.resolve({
    rows: [perSecond],
    notes: [`documents parsed, snapshot made and all sets compiled in ${loadMs.toFixed(0)} ms`],
  });
}

function loaded(principals: number): PolicySnapshot {
  return new PolicySnapshot({
    revision: 1,
    policies: Array.from({ length: DOCUMENTS }, (_, plant) => ({
      tenant: TENANT,
      name: `plant-${plant}`,
      document: parsePolicyDocument(documentText(plant)),
    })),
    attachments: Array.from({ length: principals }, (_, principal) => ({
      tenant: TENANT,
      target: 'principal',
      id: nameOf(principal),
      policy: `plant-${principal % DOCUMENTS}`,
    })),
  });
}

function ask(principals: number): Question[] {
  const callers = Array.from({ length: principals }, (_, principal) => callerOf(nameOf(principal)));
  return Array.from({ length: QUESTIONS }, (_, index) => {
    const principal = (index * STRIDE) % principals;
    // Each fourth question is about a thing of somebody else.
    const thing = nameOf(index % 4 === 3 ? (principal + 1) % principals : principal);
    return { ...callers[principal]!, ...questionAbout(index % 8, thing, principal % DOCUMENTS) };
  });
}

function callerOf(name: string): Pick<Question, 'subject' | 'context'> {
  const caller = {
    'iot:ClientId': name,
    'iot:Connection.Thing.ThingName': name,
    'iot:Connection.Thing.IsAttached': 'true',
    'aws:SourceIp': '192.0.2.7',
  };
  return {
    subject: { tenant: TENANT, principal: name, certificate: null, groups: [], roles: [] },
    context: { caller },
  };
}

function questionAbout(kind: number, thing: string, plant: number): Pick<Question, 'action' | 'resource'> {
  const kinds: readonly [PolicyAction, PolicyResource][] = [
    ['iot:Publish', `topic/$aws/things/${thing}/shadow/update`],
    ['iot:Connect', `client/${thing}`],
    ['iot:Subscribe', `topicfilter/$aws/things/${thing}/shadow/update/delta`],
    ['iot:UpdateThingShadow', `thing/${thing}`],
    ['iot:Receive', `topic/$aws/things/${thing}/shadow/update/accepted`],
    ['iot:Publish', `topic/plant-${plant}/line/${thing}/data`],
    ['iot:Publish', `topic/plant-${plant}/keys/master`],
    ['iot:GetThingShadow', `thing/${thing}/mode`],
  ];
  const [action, resource] = kinds[kind]!;
  return { action, resource };
}

/** @returns decisions per second of processor */
function decideAll(snapshot: PolicySnapshot, questions: readonly Question[], seconds: number): number {
  const end = performance.now() + seconds * 1000;
  const before = process.cpuUsage();
  const effects = { allow: 0, deny: 0, none: 0 };
  do {
    for (const { subject, action, resource, context } of questions) {
      effects[snapshot.setFor(subject).decide(action, resource, context).effect]++;
    }
  } while (performance.now() < end);
  const { user, system } = process.cpuUsage(before);
  const all = effects.allow + effects.deny + effects.none;
  // Five eighths are a caller's own, one eighth is denied and two eighths are foreign.
  if (effects.allow * 8 !== all * 5 || effects.deny * 8 !== all) throw new Error('the policies decide otherwise');
  return (all / (user + system)) * 1e6;
}
