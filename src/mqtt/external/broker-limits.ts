import type { IConnackPacket } from 'mqtt';

/** What is wrong with a broker; `fatal` ones keep the node from being ready. */
export interface BrokerProblem {
  readonly fatal: boolean;
  readonly text: string;
}

export interface WantedLimits {
  readonly shared: boolean;
  readonly maxInFlight: number;
  /** 0 for a connection without a session. */
  readonly sessionSeconds: number;
}

const SOME_MOSQUITTO_2_0 = /^mosquitto version 2\.0\./;

/** What the CONNACK says about the settings that docs/external-broker.md asks for. MQTT 5, 3.2.2.3. */
export function connackProblems({ properties = {} }: IConnackPacket, wanted: WantedLimits): BrokerProblem[] {
  const problems: BrokerProblem[] = [];
  const add = (fatal: boolean, text: string): void => void problems.push({ fatal, text });
  if (properties.maximumQoS === 0) add(true, 'the broker takes QoS 0 only; QoS 1 is needed');
  if (properties.wildcardSubscriptionAvailable === false) add(true, 'the broker does not offer wildcard subscriptions');
  if (wanted.shared && properties.sharedSubscriptionAvailable === false)
    add(true, 'UMBRA_BROKER_SHARED is set, but the broker does not offer shared subscriptions');
  const expiry = properties.sessionExpiryInterval;
  if (expiry !== undefined && expiry < wanted.sessionSeconds)
    add(expiry === 0, `the broker keeps sessions for ${expiry} s only; ${wanted.sessionSeconds} s were asked for`);
  const receive = properties.receiveMaximum;
  if (receive !== undefined && receive < Math.min(100, wanted.maxInFlight))
    add(false, `the broker takes ${receive} messages in flight only; raise it (mosquitto: max_inflight_messages)`);
  return problems;
}

/** What `$SYS/broker/version` says. */
export function versionProblems(version: string, wanted: Pick<WantedLimits, 'shared'>): BrokerProblem[] {
  if (!wanted.shared || !SOME_MOSQUITTO_2_0.test(version)) return [];
  const text = `${version} delivers nothing on shared subscriptions below $aws; use UMBRA_BROKER_SHARED=false with it`;
  return [{ fatal: true, text }];
}
