export { MemoryClusterKeys } from '../../src/store/memory/memory-cluster-keys.js';
