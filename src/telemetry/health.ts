/** How one part of the node is. Every part that has a health has this shape. */
export interface Health {
  readonly ok: boolean;
  /** In words that an operator understands. */
  readonly reason: string;
  /** What should be changed although the part is well, each with what to do. */
  readonly warnings?: readonly string[];
  /** The servers behind this part, each by itself. */
  readonly members?: readonly MemberHealth[];
}

export interface MemberHealth {
  /** Its address. */
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
