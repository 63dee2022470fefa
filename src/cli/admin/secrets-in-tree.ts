import { opendir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { usage } from '../exit-code.js';

/** Files that are looked at; a tree of manifests has fewer. */
const MOST_FILES = 20_000;
/** Bytes of a file; longer ones are not looked at. */
const MOST_BYTES = 1 << 20;
/** What is made, fetched or kept by git itself. */
const NOT_OURS = new Set(['node_modules', '.git', 'dist']);

/** Keys as PEM, and those that a node gives out. */
const SECRET = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/]{16}|\bumk_[A-Za-z0-9_-]{20}/;
/** A Secret of Kubernetes with its content. */
const MANIFEST = /^kind:\s*Secret\s*$/m;
const CONTENT = /^(?:stringData|data):\s*$/m;

/**
 * Files below a folder that have a secret in them.
 * @throws CliError if the folder cannot be read, or has too many files
 */
export async function secretsBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  let seen = 0;
  const look = async (path: string): Promise<void> => {
    const entries = await opendir(path).catch((error: Error) => {
      throw usage(`${path}: ${error.message}`);
    });
    for await (const entry of entries) {
      const at = join(path, entry.name);
      if (entry.isDirectory() && !NOT_OURS.has(entry.name)) await look(at);
      if (!entry.isFile()) continue;
      if (++seen > MOST_FILES)
        throw usage(`${folder} has more than ${MOST_FILES} files: name the one with the manifests`);
      if (await hasSecret(at)) found.push(relative(folder, at));
    }
  };
  await look(folder);
  return found.sort();
}

async function hasSecret(path: string): Promise<boolean> {
  if ((await stat(path)).size > MOST_BYTES) return false;
  const text = await readFile(path, 'utf8');
  if (SECRET.test(text)) return true;
  return text.split(/^---$/m).some((each) => MANIFEST.test(each) && CONTENT.test(each));
}
