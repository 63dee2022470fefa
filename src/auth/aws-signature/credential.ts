import { remembering } from './remembering.js';
import { malformed, shown, type SignatureFault } from './signature-fault.js';

/** AWS's names of its data plane: clients of REST sign for the first, and of WebSocket for the second. */
const SERVICES: ReadonlySet<string> = new Set(['iotdata', 'iotdevicegateway']);
const CREDENTIAL = /^([A-Za-z0-9_]{1,128})\/((\d{8})\/([a-z0-9-]{1,64})\/([a-z0-9-]{1,64})\/aws4_request)$/;

/** The access key that a signature names, and the scope of the signing key that was derived from it. */
export interface Credential {
  /** As it was sent: key id and scope. */
  readonly text: string;
  readonly keyId: string;
  /** `date/region/service/aws4_request`. */
  readonly scope: string;
  /** Year, month and day: `20261128`. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

/** The parts of `key/date/region/service/aws4_request`. Any region is good: a node has none. */
export const parseCredential = remembering<Credential>(parse, 5000);

function parse(text: string): Credential | SignatureFault {
  const parts = CREDENTIAL.exec(text);
  if (parts === null) return malformed('Credential must be KEY/YYYYMMDD/REGION/SERVICE/aws4_request');
  const [, keyId = '', scope = '', date = '', region = '', service = ''] = parts;
  if (SERVICES.has(service)) return { text, keyId, scope, date, region, service };
  return malformed(`The service must be ${[...SERVICES].join(' or ')}, not ${shown(service)}`);
}
