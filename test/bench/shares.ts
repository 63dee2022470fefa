/** What of a .cpuprofile is needed here. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Names a function's part of the service by where it is. */
function partOf(functionName: string, url: string): string {
  if (functionName === '(garbage collector)') return 'garbage collection';
  if (functionName === '(idle)') return 'idle';
  if (functionName === '(program)') return 'V8 and libuv';
  // What starts the profiler is in its first sample.
  if (functionName === 'dispatch' && url === '') return 'idle';
  const ours = /\/src\/([^/]+(?:\/etcd|\/memory)?)\//.exec(url)?.[1];
  if (ours) return `src/${ours}`;
  const pack = /node_modules\/(?!\.cache)((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1];
  if (pack) return pack;
  if (/node:(net|internal\/stream|internal\/streams|stream|_stream)/.test(url) || functionName === 'writev')
    return 'sockets';
  if (functionName.startsWith('writeUtf8') || functionName === 'writeBuffer') return 'sockets';
  if (/node:(internal\/)?http2/.test(url)) return 'http2';
  if (url.startsWith('node:')) return 'other of Node';
  return 'natives (JSON, Buffer, Map)';
}

interface Share {
  readonly name: string;
  readonly micros: number;
}

/**
 * Share of each part in the busy time, and the functions that take most themselves; lines for people.
 * @param cost microseconds of all; they are shown in place of percents
 */
export function shares(profile: CpuProfile, cost?: number): string[] {
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const parts = new Map<string, number>();
  const functions = new Map<string, number>();
  profile.samples.forEach((id, i) => {
    const frame = byId.get(id)?.callFrame;
    if (!frame) return;
    const micros = profile.timeDeltas[i] ?? 0;
    const part = partOf(frame.functionName, frame.url);
    parts.set(part, (parts.get(part) ?? 0) + micros);
    if (part === 'idle') return;
    const place = frame.url.split('/').slice(-2).join('/');
    const name = `${frame.functionName || '(anonymous)'} ${place}:${frame.lineNumber + 1}`;
    functions.set(name, (functions.get(name) ?? 0) + micros);
  });
  const all = [...parts.values()].reduce((sum, each) => sum + each, 0);
  const busy = all - (parts.get('idle') ?? 0);
  const percent = (micros: number, of: number): string => `${((micros / of) * 100).toFixed(1)} %`;
  const share = (micros: number): string =>
    cost === undefined ? percent(micros, busy).padStart(7) : `${((micros / busy) * cost).toFixed(2).padStart(6)} µs`;
  parts.delete('idle');
  return [
    `busy ${percent(busy, all)} of the time; of that:`,
    ...sorted(parts, 14).map(({ name, micros }) => `  ${share(micros)}  ${name}`),
    'functions, by the time spent in themselves:',
    ...sorted(functions, cost === undefined ? 25 : 60).map(({ name, micros }) => `  ${share(micros)}  ${name}`),
  ];
}

function sorted(times: ReadonlyMap<string, number>, count: number): Share[] {
  return [...times]
    .map(([name, micros]) => ({ name, micros }))
    .sort((a, b) => b.micros - a.micros)
    .slice(0, count);
}
