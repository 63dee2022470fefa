export { ManualClock } from './manual-clock.js';
export { scriptedEvents, type ScriptedEvents } from './scripted-events.js';
export { memoryStore } from './memory-store.js';
export { scriptedFetch, type ScriptedFetch, type Sent } from './scripted-fetch.js';
export { scriptedNode, type NodeScript, type Published, type ScriptedConnection } from './scripted-node.js';
