/** What a value may be changed by: any of its members; `null` removes one, and arrays are replaced as a whole. */
export type DeepPartial<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T]?: DeepPartial<T[K]> | null }
    : T;

/** The type of a shadow of which nothing is known. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- so that members may be read without a cast
export type AnyState = Record<string, any>;

/**
 * The members of a section. `T` is the type of both sections, or `{ desired: D; reported: R }` where they differ.
 */
export type DesiredOf<T> = T extends { desired: infer D; reported: unknown } ? D : T;
export type ReportedOf<T> = T extends { desired: unknown; reported: infer R } ? R : T;

/** A shadow as it was at one revision. A member of a section is there only if it was set. */
export interface ShadowState<T = AnyState> {
  readonly thing: string;
  /** null: the classic shadow. */
  readonly shadow: string | null;
  readonly desired: Partial<DesiredOf<T>>;
  readonly reported: Partial<ReportedOf<T>>;
  /** What desired has and reported has not; null: nothing. */
  readonly delta: DeepPartial<DesiredOf<T>> | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** The shadow's own counter, without gaps; 0: there is no shadow. */
  readonly version: number;
  /** Of the store, common to all shadows; the state is at least as new. */
  readonly revision: number;
  /** ISO 8601, UTC; null: there is no shadow. */
  readonly changedAt: string | null;
}

/** What a write has made. */
export interface Written {
  readonly version: number;
  /** Of its commit; `minRevision` of a later read. */
  readonly revision: number;
}

/** A change of both sections. One that is absent stays; `null` clears it. */
export interface Patch<T = AnyState> {
  readonly desired?: DeepPartial<DesiredOf<T>> | null;
  readonly reported?: DeepPartial<ReportedOf<T>> | null;
}
