import type { Surroundings } from '../../../src/access/authorizer.js';
import type { PolicyAction } from '../../../src/access/policy-action.js';
import type { Principal } from '../../../src/access/principal.js';
import { KeyPrincipals } from '../../../src/auth/key-principals.js';
import { TokenStanding } from '../../../src/auth/token-standing.js';
import { DenialList } from '../../../src/auth/tokens/denial-list.js';
import { AccessDirectory } from '../../../src/directory/access-directory.js';
import { keyOfRecord, kindOf, type KindName, type RecordTypes } from '../../../src/directory/access-records.js';
import { withVersion } from '../../../src/directory/records/policy-record.js';
import { encodeRecord } from '../../../src/directory/records/record-kind.js';
import { ServiceError } from '../../../src/errors/service-error.js';
import { PolicyAuthorizer } from '../../../src/policies/policy-authorizer.js';
import { SYSTEM_CLOCK } from '../../../src/resilience/clock.js';
import type { StoredKey } from '../../../src/store/cluster-keys.js';
import { MemoryClusterKeys } from '../../../src/store/memory/memory-cluster-keys.js';
import { SILENT_LOGGER } from '../../../src/telemetry/logger.js';
import type { Lab } from '../lab.js';
import { atLeast, row, type Result, type Row } from '../result.js';

const TENANT = 'bench';
const DOCUMENTS = 200;
const QUESTIONS = 20_000;
const ADDRESS = '192.0.2.7';
const THING = '${iot:Connection.Thing.ThingName}';
/** Primes, so that neighbouring questions come from principals and documents that are far apart. */
const STRIDE = 7919;

interface Question extends Required<Pick<Surroundings, 'clientId'>> {
  readonly principal: Principal;
  readonly action: PolicyAction;
  readonly resource: string;
}

/** The records of a cluster, as a watch tells them. */
type Records = Map<string, StoredKey>;

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

/**
 * Decisions alone, asked for as the doors of a node do: 10,000 principals with keys, 200 documents, 1,000 statements;
 * allowed, denied and about foreign things.
 */
export async function policies(lab: Lab): Promise<Result> {
  const principals = lab.size(10_000, 10_000, 100);
  const records = recordsOf(principals);
  const start = performance.now();
  const directory = await loaded(records);
  const callers = callersOf(directory, principals);
  const standing = new TokenStanding(directory, new DenialList(new MemoryClusterKeys(), SYSTEM_CLOCK), SYSTEM_CLOCK);
  const authorizer = new PolicyAuthorizer(directory, SYSTEM_CLOCK, standing);
  const questions = ask(callers);
  const loadedMs = performance.now() - start;
  for (const caller of callers) connect(authorizer, caller);
  const connectedMs = performance.now() - start - loadedMs;
  decideAll(authorizer, questions, lab.scale.warmSeconds);
  const rates = Array.from({ length: lab.scale.pairs }, () => decideAll(authorizer, questions, lab.scale.seconds));
  const perSecond: Row = row('decisions per second of processor', rates, atLeast(1_000_000));
  directory.close();
  return {
    rows: [perSecond],
    notes: [
      `${records.size.toLocaleString('en')} records read in ${loadedMs.toFixed(0)} ms, everybody's CONNECT decided ` +
        `with all that it compiles in ${connectedMs.toFixed(0)} ms`,
    ],
  };
}

function recordsOf(principals: number): Records {
  const records: Records = new Map();
  const add = <Name extends KindName>(kind: Name, names: readonly string[], record: RecordTypes[Name]): void => {
    const value = encodeRecord(kindOf(kind), names, record);
    records.set(keyOfRecord(kind, names), { value, revision: 1, lease: null });
  };
  const createdAtMs = 1;
  const named = { isDisabled: false, title: '', createdAtMs };
  add('tenant', [TENANT], { ...named, account: null, policies: [], limits: new Map() });
  for (let plant = 0; plant < DOCUMENTS; plant++) {
    const version = { document: documentText(plant), createdAtMs, createdBy: 'admin' };
    add('policy', [TENANT, `plant-${plant}`], withVersion(null, version));
  }
  const device: Omit<RecordTypes['principal'], 'thing' | 'policies'> = {
    ...{ kind: 'device', isDisabled: false, thingType: null, attributes: new Map(), roles: [], groups: [] },
    ...{ passwordHash: null, createdAtMs },
  };
  for (let principal = 0; principal < principals; principal++) {
    const name = nameOf(principal);
    add('principal', [TENANT, name], { ...device, thing: name, policies: [`plant-${principal % DOCUMENTS}`] });
    const proof = { kind: 'secret', digest: 'd'.repeat(43) } as const;
    add('key', [name], { ...named, tenant: TENANT, principal: name, proof, expiresAtMs: null });
  }
  return records;
}

async function loaded(records: Records): Promise<AccessDirectory> {
  const directory = new AccessDirectory(new MemoryClusterKeys(), SILENT_LOGGER);
  directory.snapshot(records, 1);
  await directory.ready;
  return directory;
}

/** As each is known by its key. */
function callersOf(directory: AccessDirectory, principals: number): Principal[] {
  const known = new KeyPrincipals(directory, SYSTEM_CLOCK);
  return Array.from({ length: principals }, (_, principal) => {
    const id = nameOf(principal);
    const caller = known.of(id, directory.get('key', id)!.record);
    if (caller instanceof ServiceError) throw caller;
    return caller;
  });
}

function ask(callers: readonly Principal[]): Question[] {
  return Array.from({ length: QUESTIONS }, (_, index) => {
    const caller = (index * STRIDE) % callers.length;
    // Each fourth question is about a thing of somebody else.
    const thing = nameOf(index % 4 === 3 ? (caller + 1) % callers.length : caller);
    const principal = callers[caller]!;
    return { principal, clientId: principal.id, ...questionAbout(index % 8, thing, caller % DOCUMENTS) };
  });
}

function questionAbout(kind: number, thing: string, plant: number): Pick<Question, 'action' | 'resource'> {
  const kinds: readonly [PolicyAction, string][] = [
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

/**
 * Everybody comes in the order of their numbers, and is asked about in another one: what is remembered of them does not
 * lie in memory as the questions want it.
 */
function connect(authorizer: PolicyAuthorizer, principal: Principal): void {
  const surroundings = { clientId: principal.id, address: ADDRESS };
  if (!authorizer.allows(principal, 'iot:Connect', `client/${principal.id}`, surroundings))
    throw new Error('the policies do not let a device in');
}

/** @returns decisions per second of processor */
function decideAll(authorizer: PolicyAuthorizer, questions: readonly Question[], seconds: number): number {
  const end = performance.now() + seconds * 1000;
  const before = process.cpuUsage();
  let all = 0;
  let allowed = 0;
  do {
    for (const { principal, action, resource, clientId } of questions) {
      if (authorizer.allows(principal, action, resource, { clientId, address: ADDRESS })) allowed++;
    }
    all += questions.length;
  } while (performance.now() < end);
  const { user, system } = process.cpuUsage(before);
  // Five eighths are a caller's own, one eighth is denied and two eighths are foreign.
  if (allowed * 8 !== all * 5) throw new Error('the policies decide otherwise');
  return (all / (user + system)) * 1e6;
}
