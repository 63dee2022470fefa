/**
 * Go's text/template as far as k8s/chart uses it. What it does not know is an error here, also where Go would print
 * something: a chart that passes has used nothing else.
 */
export type Value = unknown;
export type Functions = Readonly<Record<string, (...given: Value[]) => Value>>;

/** What an `end` closes. */
interface Block {
  readonly kind: 'if' | 'range' | 'with';
  readonly pipe: string;
  readonly body: Node[];
  readonly otherwise: Node[];
}

type Node =
  { readonly kind: 'text'; readonly text: string } | { readonly kind: 'print'; readonly pipe: string } | Block;

/** Where the nodes that follow belong. */
interface Open {
  into: Node[];
  readonly block?: Block;
}

interface Scope {
  readonly dot: Value;
  readonly variables: Readonly<Record<string, Value>>;
}

/** An action, with the blanks around it that its dashes take away. */
const ACTION = /(\s+(?=\{\{- ))?\{\{(?:-\s)?\s*((?:"[^"]*"|[^"}])*?)\s*(?:\s-)?\}\}/g;
const TOKEN = /\s*("[^"]*"|:=|[|(),]|[$]?[.\w][.\w]*|[$])/y;

/** The templates of a chart that others may include by their names. */
export class Templates {
  readonly #defined = new Map<string, Node[]>();
  readonly #functions: Functions;

  constructor(functions: Functions) {
    this.#functions = { ...functions, include: (name, dot) => this.include(String(name), dot) };
  }

  /** Renders a file. What it defines is known from then on. @throws Error for what is not known here */
  render(source: string, dot: Value): string {
    const nodes = this.#parse(source);
    return this.#print(nodes, { dot, variables: { $: dot } });
  }

  include(name: string, dot: Value): string {
    const nodes = this.#defined.get(name);
    if (nodes === undefined) throw new Error(`nothing is defined as ${name}`);
    return this.#print(nodes, { dot, variables: { $: dot } });
  }

  #parse(source: string): Node[] {
    const root: Node[] = [];
    const open: Open[] = [{ into: root }];
    const top = () => open[open.length - 1]!;
    for (const piece of pieces(source)) {
      if (piece.text !== undefined) top().into.push({ kind: 'text', text: piece.text });
      else this.#action(piece.action, open, top());
    }
    if (open.length > 1) throw new Error('an end is missing');
    return root;
  }

  #action(action: string, open: Open[], top: Open): void {
    const [, word = '', rest = ''] = /^(\S+)\s*([\s\S]*)$/.exec(action) ?? [];
    if (word === 'if' || word === 'range' || word === 'with') {
      const block: Block = { kind: word, pipe: rest, body: [], otherwise: [] };
      top.into.push(block);
      open.push({ into: block.body, block });
    } else if (word === 'define') {
      const body: Node[] = [];
      this.#defined.set(JSON.parse(rest) as string, body);
      open.push({ into: body });
    } else if (word === 'else' && rest === '') {
      if (top.block === undefined) throw new Error('an else without an if');
      top.into = top.block.otherwise;
    } else if (word === 'end') {
      if (open.length === 1) throw new Error('an end of nothing');
      open.pop();
    } else if (!/^\/\*[\s\S]*\*\/$/.test(action)) {
      top.into.push({ kind: 'print', pipe: action });
    }
  }

  #print(nodes: readonly Node[], scope: Scope): string {
    return nodes.map((node) => this.#printOne(node, scope)).join('');
  }

  #printOne(node: Node, scope: Scope): string {
    if (node.kind === 'text') return node.text;
    if (node.kind === 'print') return printed(this.#value(node.pipe, scope), node.pipe);
    if (node.kind === 'range') return this.#range(node, scope);
    const value = this.#value(node.pipe, scope);
    if (!isTrue(value)) return this.#print(node.otherwise, scope);
    return this.#print(node.body, node.kind === 'with' ? { ...scope, dot: value } : scope);
  }

  #range({ pipe, body, otherwise }: Block, scope: Scope): string {
    const [, names, source] = /^(?:((?:[$]\w+,?\s*)+):=\s*)?([\s\S]*)$/.exec(pipe) as unknown as [
      string,
      string?,
      string?,
    ];
    const variables = (names ?? '').split(/[,\s]+/).filter(Boolean);
    const over = this.#value(source ?? '', scope);
    const entries: [Value, Value][] = Array.isArray(over)
      ? over.map((value, place) => [place, value])
      : Object.entries((over ?? {}) as object).sort(([a], [b]) => (a < b ? -1 : 1));
    if (entries.length === 0) return this.#print(otherwise, scope);
    return entries
      .map(([key, value]) => {
        const given = variables.length === 1 ? [value] : [key, value];
        const named = Object.fromEntries(variables.map((name, place) => [name, given[place]]));
        return this.#print(body, { dot: value, variables: { ...scope.variables, ...named } });
      })
      .join('');
  }

  #value(pipe: string, scope: Scope): Value {
    const tokens = tokensOf(pipe);
    const value = this.#pipeline(tokens, scope);
    if (tokens.length > 0) throw new Error(`${tokens.join(' ')} is too much in ${pipe}`);
    return value;
  }

  #pipeline(tokens: string[], scope: Scope): Value {
    let value = this.#command(tokens, scope, []);
    while (tokens[0] === '|') {
      tokens.shift();
      value = this.#command(tokens, scope, [value]);
    }
    return value;
  }

  #command(tokens: string[], scope: Scope, piped: Value[]): Value {
    const [first = ''] = tokens;
    const isCall = /^[a-zA-Z]/.test(first) && !/^(?:true|false|nil)$/.test(first);
    if (isCall) tokens.shift();
    const given: Value[] = [];
    while (tokens.length > 0 && tokens[0] !== '|' && tokens[0] !== ')') given.push(this.#operand(tokens, scope));
    if (isCall) {
      const call = this.#functions[first];
      if (call === undefined) throw new Error(`the function ${first} is not known`);
      return call(...given, ...piped);
    }
    const [method, ...rest] = given;
    if (typeof method === 'function') return (method as Functions[string])(...rest, ...piped);
    if (given.length !== 1 || piped.length > 0) throw new Error(`${first} takes no arguments`);
    return given[0];
  }

  #operand(tokens: string[], scope: Scope): Value {
    const token = tokens.shift() as string;
    if (token === '(') {
      const value = this.#pipeline(tokens, scope);
      if (tokens.shift() !== ')') throw new Error('a bracket is not closed');
      return value;
    }
    if (token.startsWith('"')) return JSON.parse(token) as string;
    if (/^\d+$/.test(token)) return Number(token);
    if (token === 'true' || token === 'false') return token === 'true';
    const [, variable = '', path = ''] = /^([$]\w*)?((?:[.]\w*)*)$/.exec(token) ?? [];
    if (variable === '' && path === '') throw new Error(`${token} is not understood`);
    if (variable !== '' && !Object.hasOwn(scope.variables, variable)) throw new Error(`${variable} is not set`);
    return fieldOf(variable === '' ? scope.dot : scope.variables[variable], path.split('.').filter(Boolean), token);
  }
}

function* pieces(source: string): Generator<{ text: string; action?: never } | { text?: never; action: string }> {
  let at = 0;
  let trim = false;
  const text = (to: number): string => {
    const raw = source.slice(at, to);
    return trim ? raw.trimStart() : raw;
  };
  for (const match of source.matchAll(ACTION)) {
    yield { text: text(match.index) };
    yield { action: match[2] as string };
    at = match.index + match[0].length;
    trim = match[0].endsWith(' -}}');
  }
  const rest = text(source.length);
  if (rest.includes('{{')) throw new Error(`not understood: ${rest.slice(rest.indexOf('{{'), 80)}`);
  yield { text: rest };
}

function tokensOf(pipe: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < pipe.trimEnd().length) {
    const from = TOKEN.lastIndex;
    const found = TOKEN.exec(pipe);
    if (found === null) throw new Error(`not understood: ${pipe.slice(from)}`);
    tokens.push(found[1] as string);
  }
  return tokens;
}

function fieldOf(value: Value, names: readonly string[], token: string): Value {
  return names.reduce<Value>((now, name) => {
    if (now === null || typeof now !== 'object') throw new Error(`${token}: there is nothing that has ${name}`);
    return (now as Record<string, Value>)[name];
  }, value);
}

/** As Go sees it: empty is false. */
export function isTrue(value: Value): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}

function printed(value: Value, pipe: string): string {
  if (typeof value === 'number' && Math.abs(value) >= 1e6)
    throw new Error(`Go prints ${value} with an exponent: ${pipe}`);
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new Error(`${pipe} is ${value === null ? 'null' : typeof value}, which is not to be printed`);
}
