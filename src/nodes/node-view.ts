import type { NodesState } from './nodes.js';
import type { NodeWord } from './node-word.js';
import type { NodeList, NodeView } from './nodes.openapi.js';

/** The nodes as callers see them. No errors. */
export function nodesView({ words, mean }: NodesState): NodeList {
  return { nodes: [...words].map(([name, word]) => nodeView(name, word)), mean };
}

/** @param word null: the node says nothing. No errors. */
export function nodeView(node: string, word: NodeWord | null): NodeView {
  if (word === null) return { node, software: null, connections: null, draining: false, shed: null };
  const { software, connections, isDraining: draining, shed } = word;
  const shown = shed && { connections: shed.connections, closed: shed.closed, done: shed.isDone };
  return { node, software, connections, draining, shed: shown };
}
