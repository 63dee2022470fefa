import { BUILT_IN_ROLES, type RoleName } from '../access/roles.js';
import { UMBRA_ACTIONS } from './actions.js';
import type { PolicyDocument } from './policy-document.js';
import { parsePolicyDocument } from './policy-document.js';

/** Begins the names of built-in policies. No policy of a tenant can have such a name: they have no colon. */
export const ROLE_PREFIX = 'role:';

interface Statement {
  readonly Sid: string;
  readonly Effect: 'Allow';
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
}

const arn = (resource: string): string => `arn:aws:iot:*:*:${resource}`;
const allow = (Sid: string, Action: Statement['Action'], ...resources: readonly string[]): Statement => ({
  Sid,
  Effect: 'Allow',
  Action,
  Resource: resources.map(arn),
});

const OWN = '${iot:Connection.Thing.ThingName}';
/** Client ids of people and services; a takeover takes the right to connect with the id. */
const AS_PRINCIPAL = allow('Connect', 'iot:Connect', 'client/${umbra:Principal}', 'client/${umbra:Principal}:*');
/** A newer token inside of a connection. */
const RENEW = allow('RenewToken', 'iot:Publish', 'topic/$umbra/session/renew');

/** Topics below which all of a thing's shadows stand, the classic one and the named ones. */
const requests = (thing: string, operations: readonly string[]): string[] =>
  operations.flatMap((operation) => [
    `topic/$aws/things/${thing}/shadow/${operation}`,
    `topic/$aws/things/${thing}/shadow/name/*/${operation}`,
  ]);

const READ = ['iot:GetThingShadow', 'iot:ListNamedShadowsForThing', 'umbra:GetThing'];
const WRITE = ['iot:UpdateThingShadow', 'iot:DeleteThingShadow'];
const FOLLOW = [
  allow('Subscribe', 'iot:Subscribe', 'topicfilter/$aws/things/*/shadow/*', 'topicfilter/$aws/events/presence/*'),
  allow('Receive', 'iot:Receive', 'topic/$aws/things/*/shadow/*', 'topic/$aws/events/presence/*'),
  allow('Presence', 'umbra:GetPresence', 'client/*'),
];
const WATCH = allow('Watch', 'umbra:Watch', 'thing/*');
const LIST_THINGS = allow('ListThings', 'umbra:ListThings', '*');

const OPERATOR = [
  AS_PRINCIPAL,
  RENEW,
  allow('Shadows', [...READ, ...WRITE, 'umbra:DeleteThing', 'umbra:Lease'], 'thing/*'),
  allow('Publish', 'iot:Publish', ...requests('*', ['get', 'update', 'delete'])),
  ...FOLLOW,
  LIST_THINGS,
];

const STATEMENTS: Readonly<Record<RoleName, readonly Statement[]>> = {
  device: [
    allow('Connect', 'iot:Connect', `client/${OWN}`, `client/${OWN}:*`),
    RENEW,
    allow('Publish', 'iot:Publish', ...requests(OWN, ['get', 'update', 'delete'])),
    allow('Subscribe', 'iot:Subscribe', `topicfilter/$aws/things/${OWN}/shadow/*`),
    allow('Receive', 'iot:Receive', `topic/$aws/things/${OWN}/shadow/*`),
    allow('Shadows', [...READ, ...WRITE], `thing/${OWN}`, `thing/${OWN}/*`),
    allow('Presence', 'umbra:GetPresence', `client/${OWN}`),
  ],
  viewer: [
    AS_PRINCIPAL,
    RENEW,
    allow('Shadows', READ, 'thing/*'),
    allow('Publish', 'iot:Publish', ...requests('*', ['get'])),
    ...FOLLOW,
    LIST_THINGS,
    WATCH,
  ],
  operator: OPERATOR,
  service: [...OPERATOR, WATCH],
  'tenant-admin': [
    allow('Data', ['iot:*', ...UMBRA_ACTIONS], '*'),
    // Not the tenant itself: its account and its limits are those of the installation.
    allow('Administer', ['umbra:AdminRead', 'umbra:AdminWrite'], 'tenant/${umbra:Tenant}'),
  ],
  admin: [{ Sid: 'Everything', Effect: 'Allow', Action: '*', Resource: '*' }],
};

/** A built-in role as the text of a policy document, as operators can read it. No errors. */
export function roleText(role: RoleName): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: STATEMENTS[role] }, null, 2);
}

const documents = new Map(BUILT_IN_ROLES.map((role) => [ROLE_PREFIX + role, parsePolicyDocument(roleText(role))]));

/** The built-in policy of this name, such as `role:device`; undefined when there is none. No errors. */
export function rolePolicy(name: string): PolicyDocument | undefined {
  return documents.get(name);
}
