/** Over a minute on two busy cores, for every push; nodes that drain and leaders that die are in test/e2e too. */
export const SMOKE: readonly string[] = [
  'calm, 3 nodes',
  'etcd killed',
  'responses lost after commit',
  'leader partitioned from its peers',
];
