import { SetMetadata, applyDecorators } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import type { CallHead } from '../access/call-head.js';
import { checkShadowName, checkThingName } from '../document/shadow-name.js';
import type { RequestOptions, ShadowKey } from '../store/shadow-store.js';

/** Transport of every MessagePattern that GrpcTransport calls. Transports of Nest do not see these handlers (ADR 0025). */
export const GRPC_DOOR = Symbol('grpc');
/** Metadata keys of an About, and of the names that a method heeds. */
export const ABOUT = 'umbra:grpc-about';
export const HEEDS = 'umbra:grpc-heeds';
/** Metadata of calls that write, with the meaning that the headers of HTTP have. */
export const OF_WRITES: readonly string[] = ['idempotency-key', 'idempotency-lifetime', 'umbra-lease'];
/** The package of the services, and the beginning of their paths. */
export const PACKAGE = 'umbra.v1';

/**
 * The resource that policies are asked about before a method is called; null: whether the caller may do it anywhere.
 * @throws ServiceError for names that are none
 */
export type About<Request = never> = (request: Request) => string | null;

/**
 * Declares that a handler answers a method of a service, and what its caller must be allowed to do it to.
 * @param heeds names of metadata that it reads; others that would be a condition are refused
 */
export function Rpc<Request>(
  service: string,
  method: string,
  about: About<Request>,
  heeds: readonly string[] = [],
): MethodDecorator {
  return applyDecorators(
    MessagePattern(`/${PACKAGE}.${service}/${method}`, GRPC_DOOR) as MethodDecorator,
    SetMetadata(ABOUT, about) as MethodDecorator,
    SetMetadata(HEEDS, heeds) as MethodDecorator,
  );
}

/** What a handler of a method receives: the message, and whose it is. `headers` has what the method heeds. */
export interface GrpcCall<Request> extends RequestOptions, CallHead {
  readonly request: Request;
  /** Of the method. */
  readonly path: string;
  /** IP address of the peer. */
  readonly address: string;
  readonly requestId: string;
  /** Adds to the metadata: of what follows the answer, and of a stream what goes before it, once. */
  say(name: string, value: string): void;
}

/** Says the revision of the storage that an answer reflects, as `Umbra-Revision` of HTTP does. No errors. */
export function sayRevision(call: Pick<GrpcCall<unknown>, 'say'>, revision: number): void {
  call.say('umbra-revision', String(revision));
}

/** What a handler of a method with a stream of answers receives. It ends the stream by its return, or by its error. */
export interface GrpcStream<Request> extends GrpcCall<Request> {
  /** The bytes of an answer, to be written as often as one likes. */
  encode(answer: object): Buffer;
  /**
   * Sends an answer that `encode` has made. A promise where the reader is behind: wait for it. False: the reader is
   * gone, or has read nothing for too long, and the stream is over.
   */
  write(answer: Buffer): boolean | Promise<boolean>;
  /** Ends a `write` that waits with false: what it waits for is no longer needed. */
  abandon(): void;
  /** Called once, when the caller has gone or the stream is over. */
  onClose(listener: () => void): void;
}

/** `T` is the message of the answer; nothing is the answer of a stream. */
export type GrpcHandler = (call: never) => Promise<object | void>;

/** The members by which messages name a shadow. */
export interface NamesShadow {
  readonly thing: string;
  /** Absent: the classic one. */
  readonly shadow?: string;
}

/** @throws ServiceError invalidThingName, invalidShadowName */
export function keyOf({ request, principal }: Pick<GrpcCall<NamesShadow>, 'request' | 'principal'>): ShadowKey {
  const { thing, shadow: name = null } = checked(request);
  return { tenant: principal.tenant, thing, name };
}

export const aboutShadow: About<NamesShadow> = (request) => {
  const { thing, shadow } = checked(request);
  return shadow === undefined ? `thing/${thing}` : `thing/${thing}/${shadow}`;
};

export const aboutThing: About<Pick<NamesShadow, 'thing'>> = ({ thing }) => {
  checkThingName(thing);
  return `thing/${thing}`;
};

export const aboutThings: About<unknown> = () => 'thing/*';

function checked(request: NamesShadow): NamesShadow {
  checkThingName(request.thing);
  if (request.shadow !== undefined) checkShadowName(request.shadow);
  return request;
}
