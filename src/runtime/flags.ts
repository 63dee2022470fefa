/** Switches of a node that the runtime configuration can set, each with what it is unless that says otherwise. */
export const FLAGS = {
  bulk: { default: true, meaning: 'Take bulk requests. Switched off, POST /v1/bulk is answered with 503.' },
} as const satisfies Readonly<Record<string, { readonly default: boolean; readonly meaning: string }>>;

export type FlagName = keyof typeof FLAGS;
export const FLAG_NAMES = Object.keys(FLAGS) as readonly FlagName[];
