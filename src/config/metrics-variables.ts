import { file, host, optionalPort } from './kinds.js';

/** The variables of the page of metrics: docs/metrics.md. */
export const METRICS_VARIABLES = {
  UMBRA_METRICS_HOST: host('metrics.host', 'Address of the page of metrics, where a port for it is given.'),
  UMBRA_METRICS_PORT: optionalPort('metrics.port', {
    meaning: 'HTTP without TLS for GET /metrics and /status alone, see metrics.md.',
    example: '9464',
  }),
  UMBRA_METRICS_TOKEN: file('metrics.token', {
    meaning:
      'File with the token that whoever reads the metrics sends as Authorization: Bearer, 16 to 512 characters on one line. On loopback none is needed; on other addresses it is, unless UMBRA_INSECURE says that something else keeps strangers out.',
    example: '/etc/umbra/metrics.token',
    secret: true,
  }),
};
