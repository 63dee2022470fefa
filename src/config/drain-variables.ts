import { integer, text } from './kinds.js';

const MAX_MS = 600_000;
const SERVER = String.raw`(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?`;

/** What a client is told that has to go: the section MQTT. */
export const SERVER_REFERENCE = {
  UMBRA_MQTT_SERVER_REFERENCE: text('mqtt.serverReference', null, {
    type: 'host or host:port, several separated by spaces',
    pattern: new RegExp(String.raw`^(?=.{1,1024}$)${SERVER}( ${SERVER})*$`),
    problem: 'must be host or host:port; several are separated by one space',
    example: 'mqtt.example.com:8883',
    meaning:
      'Where MQTT 5 clients should connect instead when this node asks them to leave: the Server Reference of DISCONNECT. With it a drain sends reason 0x9C (use another server) instead of 0x8B.',
  }),
};

/** How the node ends. */
export const DRAIN_VARIABLES = {
  UMBRA_DRAIN_TIMEOUT_MS: integer('drainTimeoutMs', 10_000, {
    ...{ min: 0, max: MAX_MS, unit: 'ms' },
    meaning: 'Time for finishing work in flight after SIGTERM or Ctrl-C.',
  }),
  UMBRA_DRAIN_GRACE_MS: integer('drainGraceMs', 0, {
    ...{ min: 0, max: MAX_MS, unit: 'ms' },
    meaning:
      'Time between the moment at which a drain stops to accept and the first connection that it closes, for balancers that look at /health/ready. It is part of UMBRA_DRAIN_TIMEOUT_MS.',
  }),
  UMBRA_DRAIN_SPREAD_MS: integer('drainSpreadMs', 5_000, {
    ...{ min: 0, max: MAX_MS, unit: 'ms' },
    meaning:
      'Time over which a drain closes MQTT connections and watch streams at an even rate, so that their clients do not all come to the other nodes at once; at most 20 ms for each of them, and no longer than UMBRA_DRAIN_TIMEOUT_MS leaves. 0 closes all of them at once.',
  }),
};
