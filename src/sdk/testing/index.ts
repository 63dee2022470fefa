export { ManualClock } from './manual-clock.js';
export { memoryStore } from './memory-store.js';
export { scriptedFetch, type ScriptedFetch, type Sent } from './scripted-fetch.js';
