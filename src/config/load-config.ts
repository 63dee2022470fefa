import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { ConfigError, type ConfigProblem } from './config-error.js';
import type { Config } from './config.js';
import { crossChecks } from './cross-checks.js';
import { isLoopback } from './loopback.js';
import { hostsOf, needsCredentials } from './needs-credentials.js';
import { nearestName } from './nearest-name.js';
import { withSecretFiles } from './secret-files.js';
import { VARIABLE_NAMES, VARIABLES, type Values, type VariableName } from './variables.js';

const MAX_SHOWN = 80;
/** Unknown variables that an error names at most. */
const MAX_UNKNOWN = 20;

type Source = Record<string, string | undefined>;

/**
 * Makes the configuration from variables such as those of readEnvironment(). An empty variable counts as unset.
 * @throws ConfigError that lists every bad variable
 */
export function loadConfig(given: Source): Config {
  const { source, problems: ofFiles } = withSecretFiles(given);
  const problems = [...unknownVariables(source), ...ofFiles];
  const values = {} as Record<VariableName, unknown>;
  for (const name of VARIABLE_NAMES) {
    const variable = VARIABLES[name];
    const text = source[name];
    const parsed = text ? variable.parse(text) : { value: variable.default };
    if ('value' in parsed) values[name] = parsed.value;
    else problems.push(badValue(name, text ?? '', parsed.problem));
  }
  if (problems.length === 0) problems.push(...crossChecks(values as Values));
  if (problems.length > 0) throw new ConfigError(problems);
  return toConfig(values);
}

/** Warnings that the node logs at every start. */
const CLEAR =
  'Without TLS everybody on the way reads the keys of clients: set UMBRA_TLS_CERT, UMBRA_TLS_KEY, UMBRA_HTTPS_PORT, ' +
  'UMBRA_MQTTS_PORT and UMBRA_GRPCS_PORT, unless something in front of this node ends TLS.';

export function configWarnings(config: Config): string[] {
  const names = ['UMBRA_HTTP_HOST', 'UMBRA_MQTT_HOST', 'UMBRA_GRPC_HOST'];
  const hosts = hostsOf(config);
  const open = hosts.map((host, i) => ({ name: names[i], host })).filter(({ host }) => !isLoopback(host));
  if (open.length === 0) return [];
  const { auth, insecure } = config;
  if (needsCredentials(auth.mode, insecure, hosts)) return config.tls === null ? [CLEAR] : [];
  const where = open.map(({ name, host }) => `${name}=${host}`).join(' and ');
  return [
    `UMBRA_INSECURE=true with ${where}: ANYONE who reaches this address can read, change and delete every shadow. ` +
      'Let only a firewall, a proxy that authenticates, or a container network reach it.',
  ];
}

function unknownVariables(source: Source): ConfigProblem[] {
  const known: ReadonlySet<string> = new Set(VARIABLE_NAMES);
  const unknown = Object.keys(source).filter((name) => name.startsWith('UMBRA_') && !known.has(name));
  return unknown.slice(0, MAX_UNKNOWN).map((name) => {
    const nearest = nearestName(name, VARIABLE_NAMES);
    const advice = nearest === null ? 'remove it' : `did you mean ${nearest}?`;
    return { variable: name.slice(0, MAX_SHOWN), problem: `is not a variable of Umbra; ${advice}` };
  });
}

function badValue(name: VariableName, given: string, problem: string): ConfigProblem {
  const { secret, example } = VARIABLES[name];
  const shown = secret ? '' : `is ${show(given)}: `;
  return { variable: name, problem: `${shown}${problem}, e.g. ${name}=${example}` };
}

/** The value on one line, shortened, and without the password of a URL. */
function show(value: string): string {
  const plain = value.replace(/\/\/[^@/,]*@/g, '//…@');
  return JSON.stringify(plain.length > MAX_SHOWN ? `${plain.slice(0, MAX_SHOWN)}…` : plain);
}

type Tree = { [member: string]: unknown };

/** Puts each value at its path, then sets the members that depend on more than one variable. */
function toConfig(values: Readonly<Record<VariableName, unknown>>): Config {
  const tree: Tree = {};
  for (const name of VARIABLE_NAMES) {
    const levels = VARIABLES[name].path.split('.');
    const last = levels.pop() ?? '';
    let place = tree;
    for (const level of levels) place = (place[level] ??= {}) as Tree;
    place[last] = values[name];
  }
  const config = tree as unknown as Config;
  return {
    ...config,
    nodeId: config.nodeId ?? randomNodeId(),
    dataDir: resolve(config.dataDir),
    tls: config.tls?.cert && config.tls.key ? config.tls : null,
    externalBroker: config.externalBroker?.url ? config.externalBroker : null,
  };
}

/** The host name names the machine; the number distinguishes two nodes, or two starts of one node. */
function randomNodeId(): string {
  const host =
    hostname()
      .replace(/[^A-Za-z0-9._-]/g, '-')
      .slice(0, 100) || 'node';
  return `${host}-${randomBytes(4).toString('hex')}`;
}
