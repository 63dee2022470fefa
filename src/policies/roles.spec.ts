import type { PolicyAction } from './actions.js';
import type { PolicyContext } from './context-keys.js';
import { parsePolicyDocument } from './policy-document.js';
import { PolicySet } from './policy-set.js';
import type { PolicyResource } from './resource-pattern.js';
import { BUILT_IN_ROLES, type RoleName } from '../access/roles.js';
import { rolePolicy, roleText } from './roles.js';

const LAMP: PolicyContext = {
  caller: { 'iot:Connection.Thing.ThingName': 'lamp', 'umbra:Principal': 'ann', 'umbra:Tenant': 'acme' },
};
/** Neither a thing nor a name. */
const NOBODY: PolicyContext = { caller: {} };

const sets = new Map(
  BUILT_IN_ROLES.map((role) => {
    const name = `role:${role}`;
    return [role, new PolicySet([{ name, document: rolePolicy(name)!, confinedTo: null }])];
  }),
);
const allows = (role: RoleName, action: PolicyAction, resource: PolicyResource, context = LAMP): boolean =>
  sets.get(role)!.decide(action, resource, context).effect === 'allow';

type Row = [PolicyAction, PolicyResource, string];
const INITIALS: Readonly<Record<RoleName, string>> = {
  device: 'd',
  operator: 'o',
  viewer: 'v',
  service: 's',
  'tenant-admin': 't',
  admin: 'a',
};

describe('a built-in role', () => {
  const OWN = '$aws/things/lamp/shadow';
  const FOREIGN = '$aws/things/pump/shadow';
  const rows: Row[] = [
    ['iot:Connect', 'client/lamp', 'dta'],
    ['iot:Connect', 'client/lamp:1', 'dta'],
    ['iot:Connect', 'client/lamp2', 'ta'],
    ['iot:Connect', 'client/pump', 'ta'],
    ['iot:Connect', 'client/ann', 'ovsta'],
    ['iot:Connect', 'client/ann:tab', 'ovsta'],
    ['iot:Publish', `topic/${OWN}/update`, 'dosta'],
    ['iot:Publish', `topic/${OWN}/name/mode/delete`, 'dosta'],
    ['iot:Publish', `topic/${OWN}/get`, 'dovsta'],
    ['iot:Publish', `topic/${OWN}/name/update/get`, 'dovsta'],
    ['iot:Publish', `topic/${OWN}/update/accepted`, 'ta'],
    ['iot:Publish', `topic/${OWN}/update/delta`, 'ta'],
    ['iot:Publish', `topic/${OWN}/name/mode/update/documents`, 'ta'],
    ['iot:Publish', `topic/${FOREIGN}/update`, 'osta'],
    ['iot:Publish', `topic/${FOREIGN}/get`, 'ovsta'],
    ['iot:Publish', 'topic/$aws/things/lamp2/shadow/update', 'osta'],
    ['iot:Publish', 'topic/anything', 'ta'],
    ['iot:Publish', 'topic/$umbra/session/renew', 'dovsta'],
    ['iot:Subscribe', `topicfilter/${OWN}/update/delta`, 'dovsta'],
    ['iot:Subscribe', `topicfilter/${OWN}/#`, 'dovsta'],
    ['iot:Subscribe', `topicfilter/${OWN}/name/+/update/+`, 'dovsta'],
    ['iot:Subscribe', `topicfilter/${FOREIGN}/#`, 'ovsta'],
    ['iot:Subscribe', 'topicfilter/$aws/things/+/shadow/#', 'ovsta'],
    ['iot:Subscribe', 'topicfilter/$aws/things/lamp/#', 'ta'],
    ['iot:Subscribe', 'topicfilter/$aws/#', 'ta'],
    ['iot:Subscribe', 'topicfilter/#', 'ta'],
    ['iot:Subscribe', 'topicfilter/$share/g/$aws/things/lamp/shadow/#', 'ta'],
    ['iot:Receive', `topic/${OWN}/name/mode/update/accepted`, 'dovsta'],
    ['iot:Receive', `topic/${FOREIGN}/update/delta`, 'ovsta'],
    ['iot:Receive', 'topic/anything', 'ta'],
    ['iot:Subscribe', 'topicfilter/$aws/events/presence/connected/+', 'ovsta'],
    ['iot:Subscribe', 'topicfilter/$aws/events/#', 'ta'],
    ['iot:Receive', 'topic/$aws/events/presence/disconnected/lamp', 'ovsta'],
    ['umbra:GetPresence', 'client/lamp', 'dovsta'],
    ['umbra:GetPresence', 'client/pump', 'ovsta'],
    ['iot:GetThingShadow', 'thing/lamp', 'dovsta'],
    ['iot:GetThingShadow', 'thing/lamp/mode', 'dovsta'],
    ['iot:ListNamedShadowsForThing', 'thing/lamp', 'dovsta'],
    ['iot:UpdateThingShadow', 'thing/lamp/mode', 'dosta'],
    ['iot:DeleteThingShadow', 'thing/lamp', 'dosta'],
    ['iot:GetThingShadow', 'thing/pump', 'ovsta'],
    ['iot:GetThingShadow', 'thing/lamp2', 'ovsta'],
    ['iot:UpdateThingShadow', 'thing/pump', 'osta'],
    ['umbra:Watch', 'thing/lamp', 'vsta'],
    ['umbra:ListThings', 'thing/', 'ovsta'],
    ['umbra:Transact', 'thing/lamp', 'ta'],
    ['umbra:Lease', 'thing/lamp', 'osta'],
    ['umbra:Lease', 'thing/lamp-*', 'osta'],
    ['umbra:AdminRead', 'tenant/acme', 'ta'],
    ['umbra:AdminWrite', 'tenant/acme', 'ta'],
    ['umbra:AdminWrite', 'tenant/acme2', 'a'],
    ['umbra:AdminWrite', 'tenant/other', 'a'],
    ['umbra:AdminTenants', 'tenant/acme', 'a'],
    ['umbra:AdminRuntime', 'tenant/*', 'a'],
  ];
  it.each(rows)('%s on %s is allowed to %s', (action, resource, initials) => {
    const allowed = BUILT_IN_ROLES.filter((role) => allows(role, action, resource)).map((role) => INITIALS[role]);
    expect(allowed.sort()).toEqual([...initials].sort());
  });

  it('gives a device nothing without the name of a thing', () => {
    const asked: [PolicyAction, PolicyResource][] = [
      ['iot:Connect', 'client/lamp'],
      ['iot:Connect', 'client/'],
      ['iot:Publish', `topic/${OWN}/update`],
      ['iot:Publish', 'topic/$aws/things//shadow/update'],
      ['iot:Subscribe', `topicfilter/${OWN}/#`],
      ['iot:GetThingShadow', 'thing/lamp'],
      ['iot:GetThingShadow', 'thing/'],
      ['umbra:GetPresence', 'client/lamp'],
      ['umbra:GetPresence', 'client/'],
    ];
    expect(asked.filter(([action, resource]) => allows('device', action, resource, NOBODY))).toEqual([]);
  });

  it.each(BUILT_IN_ROLES)('%s is a document without notes, as operators read it', (role) => {
    expect(parsePolicyDocument(roleText(role)).notes).toEqual([]);
  });
});
