/** A value of JSON. A shadow holds no `null`: in a patch it removes. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [member: string]: Json };

/** What is changed of a value: any of its members; `null` removes one, and arrays are replaced as a whole. */
export type DeepPartial<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T]?: DeepPartial<T[K]> | null }
    : T;

/** The type of a shadow that says nothing of its members. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- so that members may be read without a cast
export type AnyState = Record<string, any>;

/** Where the sections of a shadow have different members: `Shape<{ desired: D; reported: R }>`; else both are `T`. */
export type Desired<T> = T extends { desired: infer D; reported: unknown } ? D : T;
export type Reported<T> = T extends { desired: unknown; reported: infer R } ? R : T;

/** A section as it is read: nobody knows which of its members were set. */
export type Section<T> = Partial<T>;

/** A shadow as it was at one revision. */
export interface ShadowState<T = AnyState> {
  readonly thing: string;
  /** null: the classic shadow. */
  readonly shadow: string | null;
  readonly desired: Section<Desired<T>>;
  readonly reported: Section<Reported<T>>;
  /** What desired has and reported has not; null: nothing. */
  readonly delta: Section<Desired<T>> | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** The shadow's own counter, without gaps; 0: there is no shadow. */
  readonly version: number;
  /** Of the store, common to all shadows: the state is at least as new. */
  readonly revision: number;
  /** ISO 8601, UTC; null: not said. */
  readonly changedAt: string | null;
}

/** What a write has made. */
export interface Written {
  readonly version: number;
  /** Of its commit. */
  readonly revision: number;
}

/** A write, and the whole document after it. */
export interface Updated<T = AnyState> extends Written {
  readonly state: ShadowState<T>;
}

/** A change of both sections; a section that is absent stays, and `null` clears it. */
export interface Patch<T = AnyState> {
  readonly desired?: DeepPartial<Desired<T>> | null;
  readonly reported?: DeepPartial<Reported<T>> | null;
}
