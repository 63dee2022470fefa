import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { VERSION } from '../../telemetry/version.js';
import { controllerMethods, routesOf } from '../server/controller-methods.js';
import { topicsOf, type MessageDescription, type StreamDescription, type TopicDescription } from './channels.js';
import { componentsOf, schemaOf } from './components.js';
import { DESCRIPTION, type OperationDescription } from './describe.js';
import type { Parameter } from './parameters.js';

const ABOUT = `The topics of MQTT and the streams of changes. \`receive\`: the node reads what clients send; \`send\`: clients
read it. The operations over HTTP are in /openapi.json.`;

const SERVERS = {
  mqtt: {
    host: 'localhost:1883',
    protocol: 'mqtt',
    description: 'MQTT 3.1.1 and 5; also at the path /mqtt of webSocket',
  },
  http: { host: 'localhost:8080', protocol: 'http', description: 'Server-sent events' },
  webSocket: { host: 'localhost:8080', protocol: 'ws', description: 'Sub-protocol umbra.v1' },
};

const PARAMETERS: Readonly<Record<string, object>> = {
  thing: { description: 'The thing.', examples: ['lamp-1'] },
  shadow: { description: 'A named shadow.', examples: ['network'] },
  clientId: { description: 'Client identifier of MQTT.', examples: ['lamp-1'] },
};

interface Stream {
  readonly path: string;
  readonly operation: OperationDescription;
  readonly stream: StreamDescription;
}

interface Channel {
  readonly id: string;
  readonly address: string;
  readonly server: keyof typeof SERVERS;
  readonly title: string;
  readonly sends: readonly MessageDescription[];
  readonly receives: readonly MessageDescription[];
  /** Of the address and of the query. */
  readonly query?: readonly Parameter[];
}

/** The description of all topics and streams of the application, as AsyncAPI 3.0. No errors. */
export function asyncApiOf(app: NestFastifyApplication): object {
  const methods = controllerMethods(app);
  const channels = [
    ...methods.flatMap(({ handler }) => topicsOf(handler)).map(topicChannel),
    ...methods.flatMap(({ type, handler }) => streamsOf(type, handler)).flatMap(streamChannels),
  ];
  const messages = new Map(channels.flatMap(({ sends, receives }) => [...sends, ...receives]).map((each) => [each.name, each])); // prettier-ignore
  return {
    asyncapi: '3.0.0',
    info: { title: 'Umbra', version: VERSION, description: ABOUT },
    defaultContentType: 'application/json',
    servers: SERVERS,
    channels: Object.fromEntries(channels.map((channel) => [channel.id, channelOf(channel)])),
    operations: Object.fromEntries(channels.flatMap(operationsOf)),
    components: {
      messages: Object.fromEntries([...messages.values()].map((each) => [each.name, messageOf(each)])),
      schemas: componentsOf([...messages.values()].map(({ schema }) => schema)),
    },
  };
}

function topicChannel({ name, topic, action, message }: TopicDescription): Channel {
  const isSent = action === 'send';
  return {
    ...{ id: name, address: topic, server: 'mqtt', title: message.summary },
    sends: isSent ? [message] : [],
    receives: isSent ? [] : [message],
  };
}

function streamsOf(type: object, handler: object): Stream[] {
  const operation = Reflect.getMetadata(DESCRIPTION, handler) as OperationDescription | undefined;
  const stream = operation?.stream;
  if (operation === undefined || stream === undefined) return [];
  return routesOf(type, handler).map((route) => ({ path: pathOf(route), operation, stream }));
}

/** `GET /v1/things/:thing/watch` is `/v1/things/{thing}/watch`. */
const pathOf = (route: string): string => route.slice(route.indexOf('/')).replaceAll(/:(\w+)/g, '{$1}');

function streamChannels({ path, operation, stream }: Stream): Channel[] {
  const { id, summary: title, parameters = [] } = operation;
  const query = parameters.filter((each) => each.in === 'query');
  return [
    { ...{ id, title, address: path, query, server: 'webSocket' }, sends: stream.sends, receives: stream.receives },
    { ...{ id: `${id}Events`, title, address: path, query, server: 'http' }, sends: stream.events, receives: [] },
  ];
}

function channelOf({ address, server, title, sends, receives, query }: Channel): object {
  const named = [...address.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => [name, PARAMETERS[name] ?? {}]);
  const messages = [...sends, ...receives].map(({ name }) => [name, { $ref: `#/components/messages/${name}` }]);
  return {
    address,
    title,
    servers: [{ $ref: `#/servers/${server}` }],
    ...(named.length > 0 && { parameters: Object.fromEntries(named) as object }),
    messages: Object.fromEntries(messages) as object,
    ...(server === 'webSocket' && { bindings: { ws: { method: 'GET', query: querySchema(query ?? []) } } }),
  };
}

function operationsOf(channel: Channel): [string, object][] {
  const { id, server, query = [], sends, receives } = channel;
  const operation = (action: 'send' | 'receive', messages: readonly MessageDescription[]): object => ({
    action,
    channel: { $ref: `#/channels/${id}` },
    messages: messages.map(({ name }) => ({ $ref: `#/channels/${id}/messages/${name}` })),
    ...(server === 'http' && { bindings: { http: { method: 'GET', query: querySchema(query) } } }),
  });
  return [
    ...(sends.length > 0 ? [[`send-${id}`, operation('send', sends)] as [string, object]] : []),
    ...(receives.length > 0 ? [[`receive-${id}`, operation('receive', receives)] as [string, object]] : []),
  ];
}

const messageOf = ({ name, summary, schema, headers, examples = [] }: MessageDescription): object => ({
  name,
  summary,
  ...(headers && { headers: schemaOf(headers) }),
  payload: schemaOf(schema),
  ...(examples.length > 0 && { examples: examples.map((payload) => ({ payload })) }),
});

function querySchema(query: readonly Parameter[]): object {
  const members = query.map(({ name, description, schema }) => [name, { description, ...schema }]);
  return { type: 'object', properties: Object.fromEntries(members) as object };
}
