/** A minute on two busy cores, for every push; nodes that drain, and an etcd that stops, are in test/e2e too. */
export const SMOKE: readonly string[] = [
  'calm, 3 nodes',
  'responses lost after commit',
  'leader partitioned from its peers',
];
