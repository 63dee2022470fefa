import type { IConnackPacket } from 'mqtt';
import { connackProblems, versionProblems } from './broker-limits.js';

const WANTED = { shared: false, maxInFlight: 1000, sessionSeconds: 3600 };
const connack = (properties?: IConnackPacket['properties']): IConnackPacket =>
  ({ cmd: 'connack', sessionPresent: false, ...(properties && { properties }) }) as IConnackPacket;

describe('connackProblems', () => {
  it('has nothing to say about a broker that limits nothing', () => {
    expect(connackProblems(connack(), WANTED)).toEqual([]);
    expect(connackProblems(connack({ receiveMaximum: 65_535, sessionExpiryInterval: 3600 }), WANTED)).toEqual([]);
  });

  it.each([
    ['QoS', { maximumQoS: 0 }, true, /QoS 1 is needed/],
    ['wildcards', { wildcardSubscriptionAvailable: false }, true, /wildcard/],
    ['no session', { sessionExpiryInterval: 0 }, true, /0 s only/],
    ['a short session', { sessionExpiryInterval: 60 }, false, /60 s only; 3600 s/],
    ['few in flight', { receiveMaximum: 20 }, false, /max_inflight_messages/],
  ])('%s', (_name, properties, fatal, text) => {
    expect(connackProblems(connack(properties), WANTED)).toEqual([{ fatal, text: expect.stringMatching(text) }]);
  });

  it('needs shared subscriptions only where they are used', () => {
    const without = connack({ sharedSubscriptionAvailable: false });
    expect(connackProblems(without, WANTED)).toEqual([]);
    expect(connackProblems(without, { ...WANTED, shared: true })).toMatchObject([{ fatal: true }]);
  });
});

describe('versionProblems', () => {
  it.each([
    ['mosquitto version 2.0.11', true, 1],
    ['mosquitto version 2.0.11', false, 0],
    ['mosquitto version 2.1.0', true, 0],
    ['5.8.0', true, 0],
  ])('%s, shared %s', (version, shared, count) => expect(versionProblems(version, { shared })).toHaveLength(count));
});
