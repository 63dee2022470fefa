/** How one part of the node is. Every part that has a health has this shape. */
export interface Health {
  readonly ok: boolean;
  /** In words that an operator understands. */
  readonly reason: string;
}
