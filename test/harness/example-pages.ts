import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { runnable, type Example } from './documented-code.js';
import { startPageServer, type PageServer } from './page-server.js';

/** Where a page finds its node: behind its own origin. */
const PLACES = {
  "'mqtt://127.0.0.1:1883'": '`ws://${location.host}/mqtt`',
  "'https://umbra.example'": 'location.origin',
  "'http://127.0.0.1:8080'": 'location.origin',
  "'http://127.0.0.1:8080": "location.origin + '",
  '`ws://127.0.0.1:8080': '`ws://${location.host}',
  // A page says who it is by a sub-protocol, as docs/streams.md has it.
  "['umbra.v1']": "['umbra.v1', 'umbra.bearer.' + token]",
  'console.log(': 'say(',
};

/** Files are what pages do not have: a cursor goes into the storage of the page. EventSource they have themselves. */
const REPLACED: Readonly<Record<string, string>> = {
  '@umbra/client': `
    import { storeCursor } from '@umbra/client';
    export * from '@umbra/client';
    const store = {
      get: async (key) => localStorage.getItem(key),
      set: async (key, value) => localStorage.setItem(key, value),
    };
    export const fileCursor = (path) => storeCursor(store, path);`,
  eventsource: 'export const EventSource = globalThis.EventSource;',
};

/**
 * Serves a page that has `run(name)`, which runs an example to its end, and `said`, what examples have written to the
 * console. They are compiled as an application is, with the packages of the folder.
 * @param folder in which the packages are installed
 */
export async function startExamplePage(
  folder: string,
  node: string,
  examples: readonly Example[],
  secret = '',
): Promise<PageServer> {
  const names = examples.map(({ name }) => name);
  for (const each of examples) writeFileSync(join(folder, `${each.name}.page.mjs`), await runnable(each, PLACES));
  const imports = names.map((name) => `'${name}': () => import('./${name}.page.mjs')`);
  const { outputFiles } = await build({
    ...{ bundle: true, format: 'esm', platform: 'browser', target: 'es2022', write: false, logLevel: 'silent' },
    stdin: { contents: `${SAY}\nconst examples = { ${imports.join(', ')} };`, resolveDir: folder },
    define: { 'process.env.UMBRA_SECRET': JSON.stringify(secret) },
    plugins: [replacing(folder)],
  });
  return startPageServer(node, outputFiles[0]!.text);
}

const SAY = `
const textOf = (value) => (typeof value === 'string' ? value : JSON.stringify(value));
Object.assign(globalThis, {
  said: [],
  say: (...values) => said.push(values.map(textOf).join(' ')),
  run: async (name) => void (await examples[name]()),
});`;

const replacing = (folder: string): Plugin => ({
  name: 'replacing',
  setup({ onResolve, onLoad }) {
    const filter = new RegExp(`^(${Object.keys(REPLACED).join('|')})$`);
    onResolve({ filter }, ({ path, namespace }) =>
      namespace === 'replaced' ? undefined : { path, namespace: 'replaced' },
    );
    onLoad({ filter: /.*/, namespace: 'replaced' }, ({ path }) => ({ contents: REPLACED[path]!, resolveDir: folder }));
  },
});
