import type { PolicyAction } from './policy-action.js';
import type { Principal } from './principal.js';

/** What a client asks for in CONNECT, beside being let in. */
export interface ConnectFacts {
  readonly attributes: readonly ('PersistentConnect' | 'LastWill')[];
  /** null: it leaves no will. */
  readonly willTopic: string | null;
}

/** What conditions and variables of policies may ask of a request, beside its principal. */
export interface Surroundings {
  /** Of MQTT. */
  readonly clientId?: string | undefined;
  /** IP address of the peer. */
  readonly address?: string | undefined;
  /** Of `iot:Connect`; none: nothing beside being let in. */
  readonly connect?: ConnectFacts | undefined;
}

/**
 * Says what a caller may do. It decides at once, from what this node knows. Doors may remember that the same principal
 * object was allowed something, by a decision that `isLasting`, for as long as `generation` stays what it was and the
 * principal has not ended.
 */
export interface Authorizer {
  /** Whether policies are asked: else everything is allowed. */
  readonly isRequired: boolean;
  /** Rises with every change that may change a decision. */
  readonly generation: number;
  /** @param resource such as `thing/lamp/settings`, `topic/$aws/things/lamp/shadow/get`, `client/lamp`. No errors. */
  allows(principal: Principal, action: PolicyAction, resource: string, surroundings?: Surroundings): boolean;
  /**
   * Whether a decision about this principal stays the same for a generation, until it ends: not where its policies ask
   * for the time, or for more than caller, connection and resource. No errors.
   */
  isLasting(principal: Principal): boolean;
  /** Whether the time of its credential is over: the one thing that changes within a generation. No errors. */
  hasEnded(principal: Principal): boolean;
  /** Whether there is any resource at all for which `allows` may say yes: else a stream of everything would be empty. No errors. */
  mayEver(principal: Principal, action: PolicyAction): boolean;
  /** Whether the principal may still act at all: it and its tenant are enabled, its credential is valid. No errors. */
  isActive(principal: Principal): boolean;
  /** Calls `listener` soon after each change of `generation`, until the returned function is called. No errors. */
  onChange(listener: () => void): () => void;
}

/** Injection token of the Authorizer. */
export const AUTHORIZER = Symbol('Authorizer');
