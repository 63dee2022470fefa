import { integer, list } from './kinds.js';

/** 1 to 65535. */
const PORT = '(?:[1-9]\\d{0,3}|[1-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d{2}|655[0-2]\\d|6553[0-5])';

/** The variables of the sinks of tenants: docs/sinks.md. */
export const SINK_VARIABLES = {
  UMBRA_SINK_HOSTS: list('sinks.hosts', {
    type: 'comma-separated host names or host:port',
    pattern: new RegExp(`^(?:\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]{1,253})(?::${PORT})?$`),
    problem: 'must be host names or addresses without scheme, each with or without a port, separated by commas',
    max: 100,
    example: 'nats.example.com,redis.example.com:6379',
    defaultText: 'empty',
    meaning:
      'Servers of NATS and Redis to which sinks of tenants may connect, each with all its ports or with the one that is named, see sinks.md. Empty: none.',
  }),
  UMBRA_SINK_ADDRESSES: list('sinks.addresses', {
    type: 'comma-separated ranges of addresses',
    pattern: /^(?:[\d.]{7,15}(?:\/(?:\d|[12]\d|3[0-2]))?|[0-9A-Fa-f:]{2,39}(?:\/(?:\d{1,2}|1[01]\d|12[0-8]))?)$/,
    problem: 'must be ranges of addresses such as 10.0.0.0/8 or fd00::1, separated by commas',
    max: 100,
    example: '10.20.0.0/16,fd12::/64',
    defaultText: 'empty',
    meaning:
      'Addresses that are not public and to which webhooks may nevertheless be sent, also over plain HTTP, see webhooks.md.',
  }),
  UMBRA_SINK_MAX_IN_FLIGHT: integer('sinks.maxInFlight', 1000, {
    ...{ min: 1, max: 10_000, unit: 'changes' },
    meaning: 'Changes that may be on their way to one sink from one node; further ones wait in etcd.',
  }),
  UMBRA_SINK_TAKEOVER_SECONDS: integer('sinks.takeoverSeconds', 5, {
    ...{ min: 2, max: 300, unit: 's' },
    meaning: 'Silence of a node after which the other nodes take over its part of the sinks.',
  }),
};
