import { SetMetadata, applyDecorators } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import type { Principal } from '../access/principal.js';
import { checkShadowName, checkThingName } from '../document/shadow-name.js';
import type { RequestOptions, ShadowKey } from '../store/shadow-store.js';

/** Transport of every MessagePattern that GrpcTransport calls. Transports of Nest do not see these handlers (ADR 0025). */
export const GRPC_DOOR = Symbol('grpc');
/** Metadata key of an About. */
export const ABOUT = 'umbra:grpc-about';
/** The package of the services, and the beginning of their paths. */
export const PACKAGE = 'umbra.v1';

/**
 * The resource that policies are asked about before a method is called; null: whether the caller may do it anywhere.
 * @throws ServiceError for names that are none
 */
export type About<Request = never> = (request: Request) => string | null;

/** Declares that a handler answers a method of a service, and what its caller must be allowed to do it to. */
export function Rpc<Request>(service: string, method: string, about: About<Request>): MethodDecorator {
  return applyDecorators(
    MessagePattern(`/${PACKAGE}.${service}/${method}`, GRPC_DOOR) as MethodDecorator,
    SetMetadata(ABOUT, about) as MethodDecorator,
  );
}

/** What a handler of a method receives: the message, and whose it is. */
export interface GrpcCall<Request> extends RequestOptions {
  readonly request: Request;
  readonly principal: Principal;
  /** IP address of the peer. */
  readonly address: string;
  readonly requestId: string;
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
