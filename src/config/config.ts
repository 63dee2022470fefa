import type { Row, ValueOf } from './variables.js';

/** The first level of a path, and the rows below a level with the rest of their paths. */
type Head<P> = P extends `${infer H}.${string}` ? H : P;
type Below<R, H extends string> = R extends { path: `${H}.${infer Rest}` } ? Omit<R, 'path'> & { path: Rest } : never;

/** The object that the paths of some variables describe: `http.port` becomes `{ http: { port } }`. */
type Tree<R extends { path: string }> = {
  readonly [H in Head<R['path']> & string]: [Below<R, H>] extends [never]
    ? ValueOf<Extract<R, { path: H }>>
    : Tree<Below<R, H>>;
};

type Given = Tree<Row>;

export type HttpConfig = Given['http'];
export type GrpcConfig = Given['grpc'];
export type MqttConfig = Given['mqtt'];
export type EtcdConfig = Given['etcd'];
export type WatchConfig = Given['watch'];
export type PresenceConfig = Given['presence'];
export type MetricsConfig = Given['metrics'];
/** Files in PEM form. `ca` is the authority of client certificates, which the MQTT TLS port then requires. */
export type TlsFiles = Given['tls'] & { readonly cert: string; readonly key: string };
/** An existing MQTT broker to serve in addition to the built-in one. */
export type BrokerConfig = Given['externalBroker'] & { readonly url: string };

/**
 * The configuration of a node; src/config/variables.ts has the meaning, the unit and the limits of each member.
 * A port of 0 means any free port; a port of null is off.
 */
export interface Config extends Omit<Given, 'nodeId' | 'tls' | 'externalBroker'> {
  readonly nodeId: string;
  /** null without a certificate. */
  readonly tls: TlsFiles | null;
  /** null without an external broker. */
  readonly externalBroker: BrokerConfig | null;
}

/** Injection token of the Config. */
export const CONFIG = Symbol('Config');
