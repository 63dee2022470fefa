/** Names of scenarios, apart from what runs them: mutations are also looked at where nothing is run. */
export const EXACTNESS = 'readers that are killed, frozen and resumed';
export const TRANSACTIONS = 'transactions, leases, keys and promotions';
export const READERS = 'readers of the client library that are killed and resumed';
export const CLIENTS = 'devices and applications of the client library';
export const ROLLOUT = 'nodes behind a balancer that are restarted one after the other';
export const RUNTIME = 'runtime configurations of several who stage and promote at once';
