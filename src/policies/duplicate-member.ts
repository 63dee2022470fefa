import { memberPlace } from './policy-fault.js';

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;

interface OpenObject {
  readonly kind: 'object';
  readonly names: Set<string>;
  name: string;
}

interface OpenArray {
  readonly kind: 'array';
  index: number;
}

type Open = OpenObject | OpenArray;

/**
 * The path of the first member that an object of a valid JSON text has twice, such as `Statement[0].Effect`; null when
 * all are unique. JSON.parse() keeps the last one only, and a reader of the text may see the other one. No errors.
 */
export function duplicateMember(json: string): string | null {
  const open: Open[] = [];
  let isName = false;
  for (const [token] of json.matchAll(TOKEN)) {
    const inner = open.at(-1);
    if (token === '{') open.push({ kind: 'object', names: new Set(), name: '' });
    else if (token === '[') open.push({ kind: 'array', index: 0 });
    else if (token === '}' || token === ']') open.pop();
    else if (token === ',' && inner?.kind === 'array') inner.index++;
    else if (token.startsWith('"') && isName && inner?.kind === 'object') {
      inner.name = JSON.parse(token) as string;
      if (inner.names.has(inner.name)) return pathOf(open);
      inner.names.add(inner.name);
    }
    isName = token === '{' || (token === ',' && open.at(-1)?.kind === 'object');
  }
  return null;
}

function pathOf(open: readonly Open[]): string {
  return open.reduce(
    (path, each) => (each.kind === 'array' ? `${path}[${each.index}]` : memberPlace(path, each.name)),
    '',
  );
}
