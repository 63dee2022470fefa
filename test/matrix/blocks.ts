/** What a report consists of, whether it becomes Markdown or HTML. */
export type Block =
  | { readonly kind: 'heading'; readonly level: 1 | 2 | 3; readonly text: string }
  | { readonly kind: 'text'; readonly text: string }
  /** What a reader must know before any figure. */
  | { readonly kind: 'alarm'; readonly text: string }
  | { readonly kind: 'table'; readonly table: Table }
  /** Markdown shows its table alone. `key` says what colours stand for, as `[name, colour]`. */
  | {
      readonly kind: 'chart';
      readonly svg: string;
      readonly key: readonly (readonly [string, string])[];
      readonly table: Table;
    };

export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export const heading = (level: 1 | 2 | 3, text: string): Block => ({ kind: 'heading', level, text });
export const text = (words: string): Block => ({ kind: 'text', text: words });
export const alarm = (words: string): Block => ({ kind: 'alarm', text: words });
export const table = (title: string, head: readonly string[], rows: readonly (readonly string[])[]): Block => ({
  kind: 'table',
  table: { title, head, rows },
});

/** The same blocks give the same bytes. No errors. */
export function markdown(blocks: readonly Block[]): string {
  return `${blocks.map(markdownOf).join('\n\n')}\n`;
}

function markdownOf(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return `${'#'.repeat(block.level)} ${block.text}`;
    case 'text':
      return block.text;
    case 'alarm':
      return `> **${block.text}**`;
    default:
      return markdownTable(block.table);
  }
}

function markdownTable({ title, head, rows }: Table): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [`**${title}**`, '', line(head), line(head.map(() => '-')), ...rows.map(line)].join('\n');
}

const STYLE = `
:root { color-scheme: light dark; --alarm: #c0182b; --line: #8886; }
@media (prefers-color-scheme: dark) { :root { --alarm: #ff6b78; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 800px; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-size: 13px; margin: .5rem 0 1.5rem; display: block; overflow-x: auto; }
th, td { border: 1px solid var(--line); padding: .2rem .5rem; text-align: left; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; }
.alarm { color: var(--alarm); font-weight: 600; border-left: 4px solid; padding-left: .7rem; }
.key span { display: inline-block; margin-right: 1rem; }
.key i { display: inline-block; width: .8em; height: .8em; margin-right: .3em; }
figure { margin: 1rem 0; } figcaption { font-weight: 600; } svg { max-width: 100%; height: auto; }
details { margin: 0 0 1.5rem; }
`;

/** One file without scripts and without anything from a network. No errors. */
export function html(title: string, blocks: readonly Block[]): string {
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(title)}</title>`;
  const body = blocks.map(htmlOf).join('\n');
  return `<!doctype html>\n<html lang="en"><head>${head}<style>${STYLE}</style></head>\n<body>\n${body}\n</body></html>\n`;
}

function htmlOf(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return `<h${block.level}>${inline(block.text)}</h${block.level}>`;
    case 'text':
      return `<p>${inline(block.text)}</p>`;
    case 'alarm':
      return `<p class="alarm">${inline(block.text)}</p>`;
    case 'table':
      return htmlTable(block.table);
    case 'chart': {
      const names = block.key.map(
        ([name, colour]) => `<span><i style="background:${colour}"></i>${escaped(name)}</span>`,
      );
      const key = names.length === 0 ? '' : `<div class="key">${names.join('')}</div>`;
      const figure = `<figure><figcaption>${escaped(block.table.title)}</figcaption>${key}${block.svg}</figure>`;
      return `${figure}\n<details><summary>Table</summary>${htmlTable(block.table)}</details>`;
    }
  }
}

function htmlTable({ title, head, rows }: Table): string {
  const line = (cells: readonly string[], tag: 'td' | 'th'): string =>
    `<tr>${cells.map((cell) => `<${tag}>${inline(cell)}</${tag}>`).join('')}</tr>`;
  const body = rows.map((row) => line(row, 'td')).join('\n');
  return `<table><caption>${escaped(title)}</caption>\n${line(head, 'th')}\n${body}</table>`;
}

/** Code between back quotes, and what is strong between pairs of asterisks. */
const inline = (words: string): string =>
  escaped(words)
    .replace(/`([^`]*)`/g, '<code>$1</code>')
    .replace(/\*\*([^*]*)\*\*/g, '<strong>$1</strong>');

const escaped = (words: string): string =>
  words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
