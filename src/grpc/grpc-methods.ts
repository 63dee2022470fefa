import { Inject, Injectable } from '@nestjs/common';
import type { MethodDefinition } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { ServiceError } from '../errors/service-error.js';
import { PACKAGE } from './grpc-call.js';
import { GrpcHandlers, type DeclaredMethod } from './grpc-handlers.js';
import { fieldNumbers } from './wire.js';

/** Injection token of the path of the file that describes the services. */
export const PROTO_FILE = Symbol('proto file');

/** A method whose request is a message, or why it is none; an answer may be bytes that were encoded before. */
export type Method = MethodDefinition<object | ServiceError, object | Buffer>;

export interface Services {
  /** For reflection. */
  readonly definition: PackageDefinition;
  /** Such as `umbra.v1.Shadows`. */
  readonly names: readonly string[];
  /** By path. */
  readonly methods: ReadonlyMap<string, Method>;
}

/** The file of a description, as both the server and tests read it. Numbers of 64 bits become doubles: ours fit. */
export function loadDefinition(file: string): PackageDefinition {
  return loadSync(file, { longs: Number, enums: String, defaults: true, oneofs: true });
}

/** The services of the package as a server is told of them. @throws Error for a file that is no description */
export function loadServices(file: string): Services {
  const definition = loadDefinition(file);
  const methods = new Map<string, Method>();
  const names: string[] = [];
  for (const [name, service] of Object.entries(definition)) {
    if (!name.startsWith(`${PACKAGE}.`) || 'format' in service) continue;
    names.push(name);
    for (const method of Object.values(service)) methods.set(method.path, checked(method as Method));
  }
  return { definition, names, methods };
}

/** The methods of the services, each with its handler. */
@Injectable()
export class GrpcMethods {
  constructor(
    @Inject(GrpcHandlers) private readonly handlers: GrpcHandlers,
    @Inject(PROTO_FILE) private readonly file: string,
  ) {}

  /**
   * To be called when the modules are initialised. `declared` has every method of the services.
   * @throws Error when a method has no handler, or a handler no method
   */
  load(): { readonly declared: ReadonlyMap<string, DeclaredMethod>; readonly services: Services } {
    const declared = this.handlers.byPath();
    const services = loadServices(this.file);
    for (const path of services.methods.keys()) if (!declared.has(path)) throw new Error(`nothing handles ${path}`);
    for (const path of declared.keys()) if (!services.methods.has(path)) throw new Error(`${path} is no method`);
    return { declared, services };
  }
}

/** The descriptor of a message. */
interface Described {
  readonly type: { readonly name: string; readonly field: readonly { readonly number: number }[] };
}

function checked(method: Method): Method {
  const { type } = (method as unknown as { requestType: Described }).requestType;
  const known = new Set(type.field.map(({ number }) => number));
  const read = method.requestDeserialize;
  const write = method.responseSerialize;
  return {
    ...method,
    requestDeserialize: (bytes) => {
      let message: object;
      try {
        message = read(bytes);
      } catch {
        return noMessage(type.name);
      }
      return faultOf(message, bytes, type.name, known) ?? message;
    },
    responseSerialize: (answer) => (Buffer.isBuffer(answer) ? answer : write(answer)),
  };
}

const noMessage = (name: string): ServiceError =>
  new ServiceError('invalidRequest', `The message is no ${PACKAGE}.${name}`);

function faultOf(message: object, bytes: Buffer, name: string, known: ReadonlySet<number>): ServiceError | null {
  // A condition or a filter that a newer client sends must not pass for one that was heeded.
  const numbers = fieldNumbers(bytes);
  if (numbers === null) return noMessage(name);
  const unknown = [...numbers].find((number) => !known.has(number));
  if (unknown !== undefined) {
    return new ServiceError('invalidRequest', `There is no field ${unknown} in ${PACKAGE}.${name} of this node`);
  }
  const texts = Object.values(message).flat() as unknown[];
  return texts.some((text) => typeof text === 'string' && isMended(text, bytes)) ? new ServiceError('notUtf8') : null;
}

/**
 * Whether the decoder has put U+FFFD in the place of bytes that are no UTF-8: then the text as UTF-8 is not what was
 * sent.
 */
function isMended(text: string, bytes: Buffer): boolean {
  return text.includes('\ufffd') && !bytes.includes(Buffer.from(text));
}
