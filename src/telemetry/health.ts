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
