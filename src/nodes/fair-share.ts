import type { NodeWord } from './node-word.js';

/** Mean connections of the nodes that stay; null: none says anything. No errors. */
export function meanOf(words: Iterable<Pick<NodeWord, 'connections' | 'isDraining'>>): number | null {
  const staying = [...words].filter(({ isDraining }) => !isDraining);
  if (staying.length === 0) return null;
  return staying.reduce((sum, { connections }) => sum + connections, 0) / staying.length;
}

/** How many whole connections a node has above the mean. No errors. */
export function excessOf({ connections }: Pick<NodeWord, 'connections'>, mean: number | null): number {
  return mean === null ? 0 : Math.max(0, connections - Math.ceil(mean));
}
