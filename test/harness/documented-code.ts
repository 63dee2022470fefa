import { readFileSync } from 'node:fs';
import { transform } from 'esbuild';

/** The code of a page, and what a reader's own program has around it. */
export interface Example {
  /** `example=NAME` behind the language of the block. */
  readonly name: string;
  readonly language: string;
  readonly code: string;
  /** In TypeScript, as the blocks are. */
  readonly before: string;
  readonly after: string;
}

/** What a program has before and after a block. */
export type Surroundings = Readonly<Record<string, { readonly before?: string; readonly after?: string }>>;

/**
 * The blocks of TypeScript and JavaScript of a page, in their order.
 * @throws Error for a block without a name, which no test would run
 */
export function documentedCode(page: string, surroundings: Surroundings): Example[] {
  const blocks = [...readFileSync(page, 'utf8').matchAll(/^```(ts|js)\b(.*)\n([\s\S]*?)^```/gm)];
  return blocks.map(([, language = '', label = '', code = '']) => {
    const name = /^ example=([\w-]+)$/.exec(label)?.[1];
    if (name === undefined) throw new Error(`${page} has a block without a name:\n${code}`);
    return { name, language, code, before: '', after: '', ...surroundings[name] };
  });
}

/** A block of commands, by `example=NAME` behind its language. @throws Error if the page has none of this name */
export function documentedCommands(page: string, name: string): string {
  const found = readFileSync(page, 'utf8').match(new RegExp(`^\`\`\`sh example=${name}\n([\\s\\S]*?)^\`\`\``, 'm'));
  if (found === null) throw new Error(`${page} has no commands ${name}`);
  return found[1]!;
}

/** The whole program. */
export const programOf = ({ before, code, after }: Example): string => `${before}\n${code}\n${after}\nexport {};\n`;

/**
 * The program in JavaScript.
 * @param places what stands in the place of what, such as the address that the page has for everybody
 */
export async function runnable(example: Example, places: Readonly<Record<string, string>>): Promise<string> {
  let text = programOf(example);
  for (const [documented, own] of Object.entries(places)) text = text.replaceAll(documented, own);
  return (await transform(text, { loader: 'ts', format: 'esm', target: 'node20' })).code;
}
