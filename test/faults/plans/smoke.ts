/** About two minutes on two busy cores: one scenario for each kind of fault, for every push. */
export const SMOKE: readonly string[] = [
  'calm, 3 nodes',
  'etcd killed',
  'responses lost after commit',
  'SIGTERM during load',
  'leader killed',
  'leader partitioned from its peers',
];
