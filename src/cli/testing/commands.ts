import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../run.js';
import type { Prompts, Surroundings } from '../surroundings.js';
import { silent } from './silent.js';

/** How a command ended and what it said. */
export interface Ended {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The lines of stdout as JSON. */
  readonly json: readonly unknown[];
}

export interface Given extends Partial<Omit<Surroundings, 'stdin' | 'prompts'>> {
  readonly stdin?: string;
  /** Answers to questions; without them there is no terminal. */
  readonly answers?: Partial<Prompts>;
  /** Whether stdout is a terminal. */
  readonly terminal?: boolean;
}

/** Runs commands in this process, with a home folder of their own. */
export class Commands {
  readonly home = mkdtempSync(join(tmpdir(), 'umbra-cli-'));

  /** @throws what `run` throws, which is nothing */
  async run(line: string | readonly string[], given: Given = {}): Promise<Ended> {
    const { stdin = '', answers, terminal = false, ...rest } = given;
    const said = { stdout: '', stderr: '' };
    const sink = (name: keyof typeof said) => ({
      isTerminal: terminal,
      write: async (text: string) => void (said[name] += text),
    });
    const nobody = () => Promise.reject(new Error('nobody was to be asked'));
    const exit = await run(typeof line === 'string' ? line.split(' ') : line, {
      ...silent({ home: this.home, stdout: sink('stdout'), stderr: sink('stderr') }),
      stdin: (async function* () {
        yield stdin;
      })(),
      isInteractive: answers !== undefined,
      prompts: () => Promise.resolve({ secret: nobody, text: nobody, confirm: nobody, ...answers }),
      ...rest,
    });
    return {
      ...{ exit, ...said },
      get json() {
        const lines = said.stdout.split('\n').filter((each) => each.startsWith('{'));
        return lines.map((each) => JSON.parse(each) as unknown);
      },
    };
  }

  /** Removes the home folder. No errors. */
  remove(): void {
    rmSync(this.home, { recursive: true, force: true });
  }
}
