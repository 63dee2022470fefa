import { printable, printableLine } from './printable.js';
import type { Sink } from './surroundings.js';

export interface OutputOptions {
  readonly json: boolean;
  readonly color: boolean;
}

/** Select Graphic Rendition codes of ECMA-48. */
const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;
export type Style = keyof typeof STYLES;

/** A cell of a table with a style. */
export interface Cell {
  readonly text: string;
  readonly style: Style;
}

/** What the command says on stdout: tables and texts for people, or JSON for programs. */
export class Output {
  readonly isJson: boolean;
  readonly #sink: Sink;
  readonly #color: boolean;

  constructor(sink: Sink, { json, color }: OutputOptions) {
    this.#sink = sink;
    this.isJson = json;
    this.#color = color && sink.isTerminal;
  }

  /** Whether nobody reads it any more: what has no end by itself ends. */
  get isGone(): boolean {
    return this.#sink.isGone?.() ?? false;
  }

  /** One JSON object on a line, or the text for people. @throws the error of the stream */
  async say(value: unknown, text: string): Promise<void> {
    await this.#sink.write(printable(this.isJson ? JSON.stringify(value) : text) + '\n');
  }

  /** One JSON object on a line, or lines for people, each in its style. @throws the error of the stream */
  async lines(value: unknown, lines: readonly (string | Cell)[]): Promise<void> {
    if (this.isJson) return this.say(value, '');
    const shown = lines.map((line) =>
      typeof line === 'string' ? printableLine(line) : this.styled(printableLine(line.text), line.style),
    );
    await this.#sink.write(shown.map((line) => `${line}\n`).join(''));
  }

  /**
   * One JSON object, or its members for people, a line each; those that are null or empty are left out.
   * @param below a text of several lines that comes last
   * @throws the error of the stream
   */
  async fields(
    value: unknown,
    rows: readonly (readonly [name: string, text: string | null])[],
    below: string | null = null,
  ): Promise<void> {
    const shown = rows.filter(([, text]) => text !== null && text !== '');
    const width = Math.max(...shown.map(([name]) => name.length));
    const lines = shown.map(([name, text]) => `${name.padEnd(width)}  ${printableLine(text!)}`);
    await this.say(value, [...lines, ...(below === null ? [] : [below])].join('\n'));
  }

  /** A text as it is, such as a script or a file; on a terminal without control characters. @throws the error of the stream */
  async raw(text: string): Promise<void> {
    await this.#sink.write(this.#sink.isTerminal ? printable(text) : text);
  }

  /** Each item as a JSON object on a line, or all as a table. @throws the error of the stream */
  async list<T>(items: readonly T[], head: readonly string[], row: (item: T) => readonly (string | Cell)[]) {
    if (this.isJson) for (const item of items) await this.say(item, '');
    else await this.#sink.write(this.#table([head.map((text) => ({ text, style: 'bold' })), ...items.map(row)]));
  }

  /** As list, of what comes by and by: programs get each item as it comes, so that nothing is held. @throws as the items do */
  async stream<T>(items: AsyncIterable<T>, head: readonly string[], row: (item: T) => readonly (string | Cell)[]) {
    const held: T[] = [];
    for await (const item of items)
      if (this.isJson) await this.say(item, '');
      else held.push(item);
    if (!this.isJson) await this.list(held, head, row);
  }

  /** The text in a style, where the terminal shows it. No errors. */
  styled(text: string, style: Style): string {
    return this.#color ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text;
  }

  #table(rows: readonly (readonly (string | Cell)[])[]): string {
    const cells = rows.map((row) => row.map((cell) => (typeof cell === 'string' ? { text: cell } : cell)));
    const clean = cells.map((row) => row.map((cell) => ({ ...cell, text: printableLine(cell.text) })));
    const widths = clean[0]!.map((_, column) =>
      clean.reduce((most, row) => Math.max(most, row[column]?.text.length ?? 0), 0),
    );
    const line = (row: readonly { text: string; style?: Style }[]): string =>
      row
        .map(({ text, style }, column) => {
          const padding = column === row.length - 1 ? '' : ' '.repeat(widths[column]! - text.length + 2);
          return (style === undefined ? text : this.styled(text, style)) + padding;
        })
        .join('');
    return clean.map((row) => `${line(row).trimEnd()}\n`).join('');
  }
}
