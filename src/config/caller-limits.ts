import { integer } from './kinds.js';

/** What callers may ask for of a node with authentication. */
export const CALLER_LIMITS = {
  UMBRA_LIMIT_THING: integer('rates.thing', 20, {
    ...{ min: 0, max: 1_000_000, unit: 'per second' },
    meaning:
      'Requests for the shadows of one thing that a node with authentication serves; further ones are answered with 429. 0 is no limit. AWS allows 20.',
  }),
  UMBRA_LIMIT_PRINCIPAL: integer('rates.principal', 0, {
    ...{ min: 0, max: 1_000_000, unit: 'per second' },
    meaning: 'As UMBRA_LIMIT_THING, requests of one principal.',
  }),
  UMBRA_LIMIT_TENANT: integer('rates.tenant', 0, {
    ...{ min: 0, max: 1_000_000, unit: 'per second' },
    meaning: 'As UMBRA_LIMIT_THING, requests of all principals of one tenant together.',
  }),
  UMBRA_LIMIT_IN_FLIGHT: integer('rates.inFlight', 1_000, {
    ...{ min: 0, max: 1_000_000, unit: 'requests' },
    meaning:
      'Requests of one principal that a node with authentication works on at once, over all of its connections; further ones are answered with 429. Streams have a limit of their own. 0 is no limit.',
  }),
  UMBRA_LIMIT_CONNECTION: integer('rates.inFlightOfConnection', 100, {
    ...{ min: 0, max: 1_000_000, unit: 'requests' },
    meaning:
      'As UMBRA_LIMIT_IN_FLIGHT, requests that one HTTP connection has sent ahead of their answers. One of MQTT is not read while it has 100. 0 is no limit.',
  }),
  UMBRA_LIMIT_STREAMS: integer('rates.streams', 1_000, {
    ...{ min: 0, max: 1_000_000, unit: 'streams' },
    meaning:
      'Watch streams of one principal that a node with authentication has open; further ones are answered with 429. 0 is no limit.',
  }),
  UMBRA_LIMIT_SESSIONS: integer('rates.sessions', 100, {
    ...{ min: 0, max: 10_000_000, unit: 'sessions' },
    meaning:
      'MQTT sessions of one principal that a node with authentication has, those of its connections and those kept without one together; at the limit the one that is away longest ends, and where none is away the connection is refused. 0 is no limit.',
  }),
  UMBRA_LIMIT_TENANT_SESSIONS: integer('rates.sessionsOfTenant', 0, {
    ...{ min: 0, max: 10_000_000, unit: 'sessions' },
    meaning: 'As UMBRA_LIMIT_SESSIONS, of all principals of one tenant together.',
  }),
  UMBRA_LIMIT_ADDRESS: integer('rates.connectionsOfAddress', 10_000, {
    ...{ min: 0, max: 10_000_000, unit: 'connections' },
    meaning:
      'MQTT connections of one address (of IPv6: one /64) to a node with authentication, and as many of HTTP: a proxy before the node has one address for all of its clients. 0 is no limit.',
  }),
  UMBRA_LIMIT_FAILURES: integer('rates.failures', 20, {
    ...{ min: 0, max: 1_000_000, unit: 'attempts' },
    meaning:
      'Wrong credentials that one address (of IPv6: one /64) may show at once; then one a second, others are answered with 429. Good ones are always served. 0 is no limit.',
  }),
} as const;
