import { isMap, LineCounter, parseAllDocuments, visit, type Document, type Node, type YAMLMap } from 'yaml';
import { readRule, RULE_KEYS } from './token-policy-rules.js';
import { DEFAULT_RULES, type TokenRules } from './token-rules.js';

export const MAX_POLICY_BYTES = 64 * 1024;
/** Problems that are told at once; the text of a file that is none has one on each line. */
const MAX_PROBLEMS = 20;
/** Lines and commas, each of which can be an entry: what they cost is the time of the parser, 0.1 s for as many. */
const MAX_ENTRIES = 5_000;
/** Brackets that are open at once. The parser would run out of stack long after it. */
const MAX_DEPTH = 16;
/** Indentation, or indicators on one line, that only a nesting beyond any policy has. */
const NESTED = /^(?:[ \t]{33}|[ \t]*(?:[-?:][ \t]+){9})/;
const TENANT = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** One thing to change in a policy file. Line and column count from 1. */
export interface PolicyProblem {
  readonly line: number;
  readonly column: number;
  readonly reason: string;
}

/** The rules of all tenants. */
export interface TokenPolicy {
  readonly rules: TokenRules;
  /** Tenants whose rules differ, each with all of its rules. */
  readonly tenants: ReadonlyMap<string, TokenRules>;
}

/** The policy of a cluster without a file. */
export const DEFAULT_POLICY: TokenPolicy = { rules: DEFAULT_RULES, tenants: new Map() };

/** The rules of a tenant. No errors. */
export const rulesOf = ({ rules, tenants }: TokenPolicy, tenant: string): TokenRules => tenants.get(tenant) ?? rules;

/** No errors. */
export const problemText = ({ line, column, reason }: PolicyProblem): string => `${line}:${column}: ${reason}`;

/**
 * Reads a policy file as a whole: it is right, or every problem that was found is told. Aliases, tags and merges are not
 * YAML that a policy needs, so that no file means more than it says. No errors.
 */
export function parseTokenPolicy(text: string): TokenPolicy | readonly PolicyProblem[] {
  const lines = new LineCounter();
  const problems = new Problems(lines);
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_POLICY_BYTES) {
    problems.add(0, `the file has ${bytes} bytes; at most ${MAX_POLICY_BYTES} are allowed`);
    return problems.found;
  }
  const root = rootOf(text, lines, problems);
  if (root === null) return problems.found;
  const rules = readRules(root, DEFAULT_RULES, problems, 'tenants');
  if (!root.has('ttl')) problems.add(root, 'ttl is missing; write for example ttl: 3600s');
  const tenants = readTenants(root, rules, problems);
  return problems.found.length > 0 ? problems.found : { rules, tenants };
}

/** Finds the places of problems. */
class Problems {
  readonly #found: PolicyProblem[] = [];

  constructor(private readonly lines: LineCounter) {}

  get found(): readonly PolicyProblem[] {
    return [...this.#found].sort((a, b) => a.line - b.line || a.column - b.column);
  }

  /** @param at a node, or the index of a character */
  add(at: Node | number | null | undefined, reason: string): void {
    const { line, col } = this.lines.linePos(typeof at === 'number' ? at : (at?.range?.[0] ?? 0));
    this.addAt(Math.max(1, line), Math.max(1, col), reason);
  }

  /** Before the lines were counted by the parser. */
  addAt(line: number, column: number, reason: string): void {
    if (this.#found.length < MAX_PROBLEMS) this.#found.push({ line, column, reason });
  }
}

function rootOf(text: string, lines: LineCounter, problems: Problems): YAMLMap | null {
  const refused = refusedLine(text);
  if (refused !== null) {
    problems.addAt(refused.line, 1, refused.reason);
    return null;
  }
  const [document, second] = documentsOf(text, lines);
  if (second) problems.add(second.range[0], 'there is a second document; one file is one policy');
  if (!document) problems.add(0, 'the file is empty; write for example ttl: 3600s');
  for (const { pos, message } of document?.errors ?? []) problems.add(pos[0], message);
  for (const { pos, message } of document?.warnings ?? []) problems.add(pos[0], message);
  if (document) refuseShortcuts(document, problems);
  if (!document || problems.found.length > 0) return null;
  if (isMap(document.contents)) return document.contents as YAMLMap;
  problems.add(document.contents, 'the file must be a map, such as ttl: 3600s');
  return null;
}

function documentsOf(text: string, lines: LineCounter): readonly Document.Parsed[] {
  const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: false, prettyErrors: false });
  return Array.isArray(documents) ? documents : [];
}

/** The first line that is refused before it is parsed. Quotes and comments are not told apart. */
function refusedLine(text: string): { readonly line: number; readonly reason: string } | null {
  let open = 0;
  let entries = 0;
  for (const [index, line] of text.split('\n').entries()) {
    for (const character of line) {
      if (character === ',') entries++;
      else if (character === '[' || character === '{') open++;
      else if (character === ']' || character === '}') open = Math.max(0, open - 1);
      if (open > MAX_DEPTH) return { line: index + 1, reason: `more than ${MAX_DEPTH} brackets are open` };
    }
    if (++entries > MAX_ENTRIES) return { line: index + 1, reason: `more than ${MAX_ENTRIES} lines and commas` };
    if (NESTED.test(line)) return { line: index + 1, reason: 'it is nested too deeply; a policy has two levels' };
    if (line.startsWith('%')) return { line: index + 1, reason: 'directives are not allowed; remove the line' };
  }
  return null;
}

function refuseShortcuts(document: Document, problems: Problems): void {
  visit(document, {
    Alias: (_key, node) => problems.add(node, `the alias *${node.source} is not allowed; write the value out`),
    Node: (_key, node) => {
      if ('anchor' in node && node.anchor) problems.add(node, `the anchor &${node.anchor} is not allowed; remove it`);
      if (node.tag !== undefined) problems.add(node, `the tag ${node.tag} is not allowed; remove it`);
    },
  });
}

/** The pairs of a map whose keys are plain texts, each once. */
function* pairsOf(map: YAMLMap, problems: Problems): Generator<{ key: string; at: Node; value: Node | null }> {
  const seen = new Set<string>();
  for (const pair of map.items) {
    const at = pair.key as Node;
    const key = (at as { value?: unknown }).value;
    if (typeof key !== 'string') problems.add(at ?? map, 'a key must be a text');
    else if (seen.has(key)) problems.add(at, `${key} is there twice; remove one`);
    else {
      seen.add(key);
      yield { key, at, value: pair.value as Node | null };
    }
  }
}

/** @param besides a key that is not a rule and is read elsewhere; null: none */
function readRules(map: YAMLMap, base: TokenRules, problems: Problems, besides: string | null): TokenRules {
  const rules: Record<string, unknown> = { ...base };
  const places = new Map<string, Node>();
  for (const { key, at, value } of pairsOf(map, problems)) {
    if (key === besides) continue;
    const rule = readRule(key, (value as { value?: unknown } | null)?.value);
    if (rule === null) {
      problems.add(
        at,
        `${key} is not known; the keys are ${[...RULE_KEYS, ...(besides === null ? [] : [besides])].join(', ')}`,
      );
    } else if ('problem' in rule) {
      problems.add(value ?? at, rule.problem);
    } else {
      rules[rule.name] = rule.value;
      places.set(rule.name, value ?? at);
    }
  }
  const whole = rules as unknown as TokenRules;
  if (whole.refreshIdle > whole.refreshTtl) {
    const place = places.get('refreshIdle') ?? places.get('refreshTtl') ?? map;
    problems.add(place, `refresh_idle must not be longer than refresh_ttl (${whole.refreshTtl}s)`);
  }
  return whole;
}

function readTenants(root: YAMLMap, base: TokenRules, problems: Problems): ReadonlyMap<string, TokenRules> {
  const tenants = new Map<string, TokenRules>();
  const value = root.get('tenants', true) as Node | undefined;
  if (value === undefined) return tenants;
  if (!isMap(value)) {
    problems.add(value, 'tenants must be a map from the id of a tenant to its rules');
    return tenants;
  }
  for (const { key, at, value: rules } of pairsOf(value as YAMLMap, problems)) {
    if (!TENANT.test(key))
      problems.add(at, 'the id of a tenant has 1 to 64 characters of A-Z, a-z, 0-9, underscore, hyphen');
    else if (!isMap(rules)) problems.add(rules ?? at, `tenants.${key} must be a map of rules`);
    else tenants.set(key, readRules(rules as YAMLMap, base, problems, null));
  }
  return tenants;
}
