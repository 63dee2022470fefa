import { startNode } from '../harness/node-process.js';
import type { Find } from './fuzz.js';
import { findOf, playScript, SUSPECTS } from './mqtt.js';
import { mqttScript, type Script } from './mqtt-script.js';

/** Milliseconds for a node to fall over what it was sent. */
const FALL_MS = 300;

/** Which of the last connections ends a node by itself; null when none does alone. Plays them to new nodes. */
export async function culprit(seed: number, connections: number): Promise<Find | null> {
  const first = Math.max(0, connections - SUSPECTS);
  let suspects = Array.from({ length: connections - first }, (_, i) => mqttScript(seed, first + i));
  while (suspects.length > 1) {
    const half = suspects.slice(0, Math.ceil(suspects.length / 2));
    if (await endsNode(half)) suspects = half;
    else suspects = suspects.slice(half.length);
  }
  const [last] = suspects;
  return last && (await endsNode([last])) ? findOf(last, 'the node ended') : null;
}

async function endsNode(scripts: readonly Script[]): Promise<boolean> {
  const node = await startNode();
  try {
    for (const script of scripts) {
      if (!node.running) return true;
      await playScript(script, node);
    }
    await Promise.race([node.exited, new Promise((resolve) => setTimeout(resolve, FALL_MS))]);
    return !node.running;
  } finally {
    await node.stop();
  }
}
