/** The health of one part of the node. */
export interface Health {
  readonly ok: boolean;
  /** In an operator's words. */
  readonly reason: string;
  /** Settings that an operator should change although the part is well, each with the remedy. */
  readonly warnings?: readonly string[];
  /** The health of each server, or other dependency, of this part. */
  readonly members?: readonly MemberHealth[];
}

export interface MemberHealth {
  /** Address of the server, or name of the dependency. */
  readonly member: string;
  readonly ok: boolean;
  readonly reason: string;
}

/** The place where a module registers the parts of the node that it answers for. */
export interface HealthParts {
  /**
   * @param check is called for every report; it must not wait, and one that throws counts as not well
   * @throws Error when the name is taken
   */
  register(name: string, check: () => Health): void;
}

/** Injection token of the HealthParts, provided globally by the health module. */
export const HEALTH_PARTS = Symbol('HealthParts');
